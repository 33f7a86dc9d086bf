
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

// Before anything was measured there is no number, and no verdict.
const nothing = "–";
const number = (value, unit = "") => value === null || value === undefined ? nothing :
  value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : 0 }) + unit;

function onStatus(event) {
  const status = JSON.parse(event.data).data.attributes;
  byId("state").textContent = status.paused && status.status === 7 ? "paused" : names[status.status];
  show("VUs", `${status.vus} of ${status["vus-max"]}`);
}

function onTest(event) {
  const test = JSON.parse(event.data).data.attributes;
  byId("test").textContent = test.outcome ? `${test.name}: ${test.outcome}` : test.name;
}

function onMetrics(event) {
  const data = JSON.parse(event.data).data;
  const metrics = Object.fromEntries(data.map((m) => [m.id, m.attributes.sample]));
  // A threshold lists its metric, samples or none.
  const tell = (label, id, member, counter, unit = "", factor = 1) => {
    if (!metrics[id]) return;
    const measured = metrics[counter] && metrics[counter].count > 0;
    show(label, number(measured ? metrics[id][member] * factor : null, unit));
  };
  tell("Requests per second", "http_reqs", "rate", "http_reqs");
  tell("Request p(95)", "http_req_duration", "p(95)", "http_reqs", " ms");
  tell("Iterations", "iterations", "count", "iterations");
  tell("Requests failed", "http_req_failed", "rate", "http_reqs", " %", 100);
  tell("Checks passed", "checks", "rate", "iterations", " %", 100);
  const verdicts = data.map((m) => m.attributes.tainted).filter((tainted) => tainted !== null);
  show("Thresholds", verdicts.includes(true) ? "crossed" : verdicts.length ? "hold" : nothing);
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
