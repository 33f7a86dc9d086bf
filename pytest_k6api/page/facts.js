/** Numbers, options and environment of a load test, as figures and tables. */

import { element } from "./elements.js";
import { format, formatDuration, formatNumber } from "./scales.js";

/** @typedef {import("./data.js").LoadTest} LoadTest */

/** Label, rate of failures and time of each protocol beside HTTP. */
const PROTOCOLS = [
  ["Event streams", "sse_failed", "sse_time_to_first_event"],
  ["WebSocket sessions", "ws_failed", "ws_response_time"],
  ["gRPC calls", "grpc_req_failed", "grpc_req_duration"],
];

/** @typedef {[string, string, string, boolean]} Figure Term, value, detail, and whether it is bad. */

/** @param {LoadTest} test @returns {Figure[]} */
function protocolFigures({ numbers }) {
  return PROTOCOLS.filter(([, failed]) => numbers[failed]).map(([label, failed, time]) => {
    const { rate, passes, fails } = numbers[failed];
    const p95 = numbers[time] ? `, p95 ${format(numbers[time]["p(95)"], "ms")}` : "";
    return [label, formatNumber(passes + fails), `${format(rate, "%")} failed${p95}`, rate > 0];
  });
}

/** @param {LoadTest} test @returns {HTMLElement[]} */
export function figures(test) {
  const { numbers } = test;
  const duration = numbers.http_req_duration ?? {};
  const requests = numbers.http_reqs;
  const iterations = numbers.iterations;
  const failed = numbers.http_req_failed;
  const checks = numbers.checks;
  const others = protocolFigures(test);
  /** @type {Figure[]} */
  const http = [
    ["Requests", requests ? formatNumber(requests.count) : "–", requests ? `${format(requests.rate, "/s")}` : "", false],
    ["Failed requests", failed ? format(failed.rate, "%") : "–", failed ? `${formatNumber(failed.passes ?? 0)} requests` : "", Boolean(failed && failed.rate > 0)],
    ["p95", format(duration["p(95)"], "ms"), duration.med === undefined ? "" : `median ${format(duration.med, "ms")}`, false],
    ["p99", format(duration["p(99)"], "ms"), duration.max === undefined ? "" : `max ${format(duration.max, "ms")}`, false],
  ];
  /** @type {Figure[]} */
  const all = [
    ...(requests || !others.length ? http : []), ...others,
    ["Checks passed", checks ? format(checks.rate, "%") : "–", !checks ? "" : checks.fails ? `${formatNumber(checks.fails)} failed` : `${formatNumber(checks.passes)} checks`, Boolean(checks && checks.rate < 1)],
    ["Iterations", iterations ? formatNumber(iterations.count) : "–", iterations ? format(iterations.rate, "/s") : "", false],
    ["VUs", numbers.vus ? formatNumber(test.outcome === null ? numbers.vus.value : numbers.vus.max) : "–",
      !numbers.vus ? "" : test.outcome === null ? `max ${formatNumber(numbers.vus.max)}` : "at most", false],
    ["Duration", formatDuration(test.elapsed), "", false],
  ];
  return all.map(([term, value, detail, isBad]) => element("div", { class: isBad ? "bad" : null },
    element("dt", {}, term), element("dd", {}, value), element("dd", { class: "note" }, detail)));
}

/** @param {LoadTest} test @returns {HTMLElement[]} */
export function facts(test) {
  const scenarios = Object.entries(test.scenarios).map(([name, options]) => factTable(`Scenario ${name}`, Object.entries(options)
    .filter(([, value]) => value !== null && value !== "" && value !== 0 && !(typeof value === "object" && !Object.keys(value).length))
    .map(([option, value]) => [option, optionText(option, value)])));
  const names = { target: test.target, started: test.started_at === null ? "" : new Date(test.started_at * 1000).toLocaleString(), ...test.environment };
  return [...scenarios, factTable("Environment", Object.entries(names).filter(([, value]) => value))];
}

/** @type {Record<string, string>} */
const NAMES = { pytest_k6api: "pytest-k6api", cpus: "CPUs" };
const DURATIONS = new Set(["duration", "start_time", "graceful_stop", "graceful_ramp_down", "max_duration", "time_unit", "min_iteration_duration"]);

/** @param {string} option @param {unknown} value @returns {string} */
function optionText(option, value) {
  if (option === "stages" && Array.isArray(value)) return value.map((stage) => `${formatDuration(stage[0] ?? stage.duration)}: ${stage[1] ?? stage.target}`).join(", ");
  if (typeof value === "number" && DURATIONS.has(option)) return formatDuration(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** @param {string} title @param {[string, string][]} rows */
function factTable(title, rows) {
  return element("table", { class: "facts" }, element("caption", {}, title),
    element("tbody", {}, ...rows.map(([name, value]) => element("tr", {},
      element("th", { scope: "row", class: "text" }, NAMES[name] ?? name.replaceAll("_", " ")), element("td", { class: "text" }, value)))));
}
