
"use strict";
const names = ["created", "starting VUs", "starting executors", "ready", "paused before start", "started",
  "setup", "running", "teardown", "ended", "interrupted"];
const shown = {};
const byId = (id) => document.getElementById(id);

function show(label, value) {
  shown[label] = value;
  byId("numbers").replaceChildren(...Object.entries(shown).map(([term, text]) => {
    const box = document.createElement("div");
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = term;
    dd.textContent = text;
    box.append(dt, dd);
    return box;
  }));
}

const number = (value) => value === null || value === undefined ? "–" :
  value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : 0 });

function onStatus(event) {
  const status = JSON.parse(event.data).data.attributes;
  byId("state").textContent = status.paused && status.status === 7 ? "paused" : names[status.status];
  show("VUs", `${status.vus} of ${status["vus-max"]}`);
  show("Thresholds", status.tainted ? "crossed" : "fine");
}

function onTest(event) {
  const test = JSON.parse(event.data).data.attributes;
  byId("test").textContent = test.outcome ? `${test.name}: ${test.outcome}` : test.name;
}

function onMetrics(event) {
  const metrics = Object.fromEntries(JSON.parse(event.data).data.map((m) => [m.id, m.attributes.sample]));
  const tell = (label, id, member, unit = "") => {
    if (metrics[id]) show(label, number(metrics[id][member]) + unit);
  };
  tell("Requests per second", "http_reqs", "rate");
  tell("Request p(95)", "http_req_duration", "p(95)", " ms");
  tell("Iterations", "iterations", "count");
  if (metrics.http_req_failed) show("Requests failed", number(metrics.http_req_failed.rate * 100) + " %");
  if (metrics.checks) show("Checks passed", number(metrics.checks.rate * 100) + " %");
}

for (const code of document.querySelectorAll(".curl")) {
  code.textContent = code.textContent.replaceAll("http://localhost:6565", location.origin);
}
const events = new EventSource("/v1/events");
events.addEventListener("open", () => { byId("state").textContent = "waiting"; });
events.addEventListener("error", () => { byId("state").textContent = "not connected"; });
events.addEventListener("status", onStatus);
events.addEventListener("test", onTest);
events.addEventListener("metrics", onMetrics);
