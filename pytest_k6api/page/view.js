/**
 * The view of one load test: verdict, figures, thresholds, charts, tables. The report shows one
 * for each load test of the session, the live page one that goes on.
 */

import { Distribution, TimeChart, Timespan } from "./charts.js";
import {
  ALL, checkRows, choices, distribution, labelOf, limitsOf, perSecond, percentileMarks, seriesOf, timesOf, withoutLast,
} from "./data.js";
import { element } from "./elements.js";
import { format, formatDuration, formatNumber } from "./scales.js";
import { Table } from "./table.js";

/** @typedef {import("./data.js").LoadTest} LoadTest */
/** @typedef {import("./data.js").Timeline} Timeline */
/** @typedef {import("./charts.js").Series} Series */

const REQUEST_COLUMNS = /** @type {import("./table.js").Column[]} */ ([
  { key: "name", label: "Name", unit: "text" },
  { key: "scenario", label: "Scenario", unit: "text" },
  { key: "count", label: "Count", unit: "" },
  { key: "per_second", label: "Per second", unit: "" },
  { key: "failed", label: "Failed", unit: "" },
  { key: "failed_share", label: "Failed %", unit: "%" },
  { key: "min", label: "Min", unit: "ms", isExtra: true },
  { key: "avg", label: "Avg", unit: "ms" },
  { key: "p50", label: "p50", unit: "ms" },
  { key: "p90", label: "p90", unit: "ms", isExtra: true },
  { key: "p95", label: "p95", unit: "ms" },
  { key: "p99", label: "p99", unit: "ms" },
  { key: "p99.9", label: "p99.9", unit: "ms", isExtra: true },
  { key: "max", label: "Max", unit: "ms" },
  { key: "size", label: "Size", unit: "B", isExtra: true },
]);

const CHECK_COLUMNS = /** @type {import("./table.js").Column[]} */ ([
  { key: "check", label: "Check", unit: "text" },
  { key: "group", label: "Group", unit: "text" },
  { key: "passes", label: "Passed", unit: "" },
  { key: "fails", label: "Failed", unit: "" },
  { key: "share", label: "Passed %", unit: "%" },
]);

const ERROR_COLOURS = ["c-red", "c-orange", "c-purple", "c-blue", "c-green", "c-sky"];

/** The parts of one load test, filled by `show`, over and over while it runs. */
export class LoadTestView {
  /**
   * @param {LoadTest} test
   * @param {string | null} [id] Which it is of the session.
   */
  constructor(test, id = null) {
    this.id = id;
    this.test = test;
    this.selection = ALL;
    this.timespan = new Timespan();
    const startedAt = test.started_at ?? undefined;
    const chart = (/** @type {string} */ title) => new TimeChart(title, this.timespan, startedAt);
    this.charts = {
      rate: chart("Requests and failures per second, with p95"),
      latency: chart("Latency"),
      heat: chart("Latency, heat map"),
      vus: chart("Virtual users"),
      errors: chart("Errors per second"),
      lateness: chart("Lateness of iterations and generator"),
      data: chart("Data"),
    };
    this.distribution = new Distribution("Latency, distribution");
    this.timespan.listeners.add((what) => { if (what === "range") this.onRange(); });
    this.figures = element("dl", { class: "figures" });
    this.reasons = element("ul", { class: "reasons" });
    this.warnings = element("ul", { class: "warnings" });
    this.thresholds = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Thresholds" });
    this.picker = element("select", { "aria-label": "Requests to show", onchange: () => this.onPick() });
    this.whole = element("button", { type: "button", hidden: true, onclick: () => this.timespan.show(null) }, "Show all of the time");
    this.hint = element("span", { class: "note hint" }, "Drag in a chart to zoom; arrow keys, + and − work, too.");
    this.requests = new Table("Requests by name", REQUEST_COLUMNS, {
      sortedBy: "count", onChoose: (row) => this.choose(row), isMarked: (row, key) => key === "failed" && Number(row.failed) > 0,
    });
    this.checks = new Table("Checks", CHECK_COLUMNS, { sortedBy: "fails", isMarked: (row, key) => key === "fails" && Number(row.fails) > 0 });
    this.failures = element("div", { class: "failures" });
    this.comparison = element("div");
    this.facts = element("div", { class: "fact-grid" });
    this.chartGrid = element("div", { class: "charts" }, this.charts.rate.element, this.charts.latency.element,
      this.charts.heat.element, this.distribution.element, this.charts.vus.element, this.charts.errors.element,
      this.charts.lateness.element, this.charts.data.element);
    this.parts = {
      thresholds: part("Thresholds", this.thresholds),
      charts: part("Over time", element("div", { class: "tools sticky" }, this.picker, this.whole, this.hint), this.chartGrid),
      failures: part("Failures", this.failures),
      requests: part("Requests by name", this.requests.element),
      checks: part("Checks", this.checks.element),
      comparison: part("Compared with the baseline", this.comparison),
      facts: part("Options and environment", this.facts),
    };
    this.element = element("div", { class: "load-test" }, this.figures, this.reasons, this.warnings, ...Object.values(this.parts));
    this.show(test);
  }

  /** @param {LoadTest} test */
  show(test) {
    this.showFigures(test);
    fillList(this.reasons, test.reasons);
    fillList(this.warnings, test.warnings);
    this.showThresholds();
    this.requests.show(test.requests);
    this.parts.requests.hidden = !test.requests.length;
    const checks = checkRows(test.root_group);
    this.checks.show(checks);
    this.parts.checks.hidden = !checks.length;
    this.showFailures();
    this.showComparison();
    this.facts.replaceChildren(...facts(test));
    this.showTimeline(test.timeline);
  }

  /** @param {LoadTest} test */
  showFigures(test) {
    this.test = test;
    this.figures.replaceChildren(...figures(test));
  }

  /** @param {Timeline | null} all */
  showTimeline(all) {
    this.test = { ...this.test, timeline: all };
    // The last point of a load test that runs is not over, unless it is a single second: its
    // counts would look like a drop.
    const timeline = all && this.test.outcome === null && all.width > 1 ? withoutLast(all) : all;
    this.parts.charts.hidden = !timeline || !timeline.seconds.length;
    if (!timeline || this.parts.charts.hidden) return;
    this.fillPicker(timeline);
    const isAll = this.selection.name === null && this.selection.scenario === null;
    const series = seriesOf(timeline, this.selection);
    const base = { seconds: timeline.seconds, width: timeline.width };
    const ofAll = isAll ? "" : "Of all requests.";
    const baseline = this.test.comparison?.timeline ?? null;
    const found = baseline && seriesOf(baseline, this.selection);
    const before = baseline && found && (isAll || found.name === this.selection.name) ? { series: found, ...timesOf(baseline, found) } : null;
    if (series) {
      const times = timesOf(timeline, series);
      this.charts.rate.show({ ...times, unit: "/s", series: rateSeries(series, times.width, before) });
      this.charts.latency.show({
        ...times, unit: "ms", series: latencySeries(series, before),
        limits: limitsOf(this.test.thresholds, "http_req_duration", this.selection),
      });
    }
    const { heatmap } = timeline;
    this.charts.heat.show({ ...base, seconds: heatmap ? timeline.seconds : [], unit: "ms", series: [], note: ofAll,
      heat: heatmap && { edges: heatmap.edges_ms, counts: heatmap.counts } });
    this.charts.vus.show({ ...base, unit: "", series: vuSeries(timeline) });
    const errors = series?.errors;
    this.charts.errors.show(errorContent(errors ?? timeline.errors ?? [], series && errors ? timesOf(timeline, series) : base, errors ? "" : ofAll));
    const { lateness_p95_ms: lateness } = timeline;
    const data = series?.data ?? timeline.data;
    this.charts.lateness.show({ ...base, seconds: lateness?.some((value) => value !== null) ? timeline.seconds : [], unit: "ms",
      series: [{ label: "p95", values: lateness ?? [], colour: "c-orange" }] });
    this.charts.data.show({ ...base, seconds: data?.received.some((value) => value) || data?.sent.some((value) => value) ? timeline.seconds : [], unit: "B/s", note: series?.data ? "" : ofAll, series: [
      { label: "received", values: perSecond(data?.received ?? [], timeline.width), colour: "c-blue", folding: "mean" },
      { label: "sent", values: perSecond(data?.sent ?? [], timeline.width), colour: "c-purple", folding: "mean" }] });
    this.onRange();
  }

  onRange() {
    const { timeline } = this.test;
    const { range } = this.timespan;
    this.whole.hidden = range === null;
    const edges = timeline?.heatmap?.edges_ms ?? [];
    const counts = timeline ? distribution(timeline, range) : [];
    const isAll = this.selection.name === null && this.selection.scenario === null;
    this.distribution.show(edges, counts, percentileMarks(counts, edges),
      [isAll ? "" : "Of all requests.", range === null ? "" : "Of the time that is shown."].filter(Boolean).join(" "));
  }

  /** @param {Timeline} timeline */
  fillPicker(timeline) {
    const labels = choices(timeline).map((choice) => choice.label);
    if (labels.length !== this.picker.options.length || labels.some((label, index) => this.picker.options[index].text !== label)) {
      this.picker.replaceChildren(...labels.map((label) => element("option", {}, label)));
    }
    this.picker.hidden = labels.length < 2;
    this.picker.selectedIndex = Math.max(0, labels.indexOf(labelOf(this.selection)));
  }

  onPick() {
    const { timeline } = this.test;
    if (!timeline) return;
    this.selection = choices(timeline)[this.picker.selectedIndex].selection;
    this.showTimeline(timeline);
  }

  /** @param {import("./table.js").Row} row */
  choose(row) {
    const { timeline } = this.test;
    const found = timeline?.requests.find(({ scenario, name }) =>
      (name ?? "") === row.name && (scenario === null || !row.scenario || scenario === row.scenario));
    if (!timeline || !found) return;
    this.selection = { scenario: found.scenario, name: found.name };
    this.showTimeline(timeline);
    this.parts.charts.scrollIntoView({ block: "start" });
    this.picker.focus({ preventScroll: true });
  }

  showThresholds() {
    const { thresholds } = this.test;
    this.parts.thresholds.hidden = !thresholds.length;
    this.thresholds.replaceChildren(element("table", { class: "thresholds" },
      element("thead", {}, element("tr", {}, ...["", "Metric", "Threshold", "Observed"].map((head) =>
        element("th", { scope: "col", class: "text" }, head || element("span", { class: "unseen" }, "State"))))),
      element("tbody", {}, ...thresholds.map((threshold) => element("tr", { class: threshold.ok === false ? "bad" : null },
        element("td", { class: "text" }, mark(threshold.ok)),
        element("td", { class: "text" }, threshold.metric),
        element("td", { class: "text" }, element("code", {}, [threshold.expression, threshold.window].filter(Boolean).join(" "))),
        element("td", { class: "text" }, threshold.observed_text || format(threshold.observed, "")))))));
  }

  showFailures() {
    const { failures } = this.test;
    this.parts.failures.hidden = !failures.length;
    const open = new Set([...this.failures.querySelectorAll("details[open]")].map((each) => each.getAttribute("data-key")));
    this.failures.replaceChildren(...failures.map((failure, index) => {
      const key = [failure.kind, failure.scenario, failure.place, failure.message].join("\n");
      const isOpen = this.failures.dataset.filled ? open.has(key) : index === 0 && failures.length < 4;
      return failureElement(failure, key, isOpen);
    }));
    if (failures.length) this.failures.dataset.filled = "yes";
  }

  showComparison() {
    const { comparison } = this.test;
    this.parts.comparison.hidden = !comparison;
    if (!comparison) return;
    this.comparison.replaceChildren(
      element("p", {}, comparison.title),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Comparison" },
        element("table", {},
          element("thead", {}, element("tr", {}, ...["Metric", "", "Baseline", "Now", "Change", "Noise"].map((head, index) =>
            element(head ? "th" : "td", { scope: head ? "col" : null, class: index < 2 || index > 4 ? "text" : null }, head)))),
          element("tbody", {}, ...comparison.numbers.map((number) => element("tr", { class: number.broken ? "bad" : null },
            element("th", { scope: "row", class: "text" }, number.metric), element("td", { class: "text" }, number.stat),
            element("td", {}, number.before), element("td", {}, number.after), element("td", {}, number.change),
            element("td", { class: "text" }, number.noise)))))),
      element("ul", { class: "warnings" }, ...comparison.notes.map((note) => element("li", {}, note))));
  }
}

/** @param {string} title @param {...HTMLElement} content */
function part(title, ...content) {
  return element("section", { class: "part" }, element("h3", {}, title), ...content);
}

/** @param {HTMLElement} list @param {string[]} texts */
function fillList(list, texts) {
  list.hidden = !texts.length;
  list.replaceChildren(...texts.map((text) => element("li", {}, text)));
}

/** @param {boolean | null} ok */
function mark(ok) {
  if (ok === null) return element("span", { class: "note" }, "not judged");
  return element("span", { class: ok ? "badge good" : "badge bad" }, ok ? "✓ holds" : "✗ crossed");
}

/** @param {LoadTest} test @returns {HTMLElement[]} */
export function figures(test) {
  const { numbers } = test;
  const duration = numbers.http_req_duration ?? {};
  const requests = numbers.http_reqs;
  const iterations = numbers.iterations;
  const failed = numbers.http_req_failed;
  const checks = numbers.checks;
  /** @type {[string, string, string, boolean][]} */
  const all = [
    ["Requests", requests ? formatNumber(requests.count) : "–", requests ? `${format(requests.rate, "/s")}` : "", false],
    ["Failed requests", failed ? format(failed.rate, "%") : "–", failed ? `${formatNumber(failed.passes ?? 0)} requests` : "", Boolean(failed && failed.rate > 0)],
    ["p95", format(duration["p(95)"], "ms"), duration.med === undefined ? "" : `median ${format(duration.med, "ms")}`, false],
    ["p99", format(duration["p(99)"], "ms"), duration.max === undefined ? "" : `max ${format(duration.max, "ms")}`, false],
    ["Checks passed", checks ? format(checks.rate, "%") : "–", checks?.fails ? `${formatNumber(checks.fails)} failed` : "", Boolean(checks && checks.rate < 1)],
    ["Iterations", iterations ? formatNumber(iterations.count) : "–", iterations ? format(iterations.rate, "/s") : "", false],
    ["VUs", numbers.vus ? formatNumber(test.outcome === null ? numbers.vus.value : numbers.vus.max) : "–",
      numbers.vus && test.outcome === null ? `max ${formatNumber(numbers.vus.max)}` : "at most", false],
    ["Duration", formatDuration(test.elapsed), "", false],
  ];
  return all.map(([term, value, detail, isBad]) => element("div", { class: isBad ? "bad" : null },
    element("dt", {}, term), element("dd", {}, value), element("dd", { class: "note" }, detail)));
}

/** A series of the baseline, with its times. @typedef {{series: import("./data.js").RequestSeries, seconds: number[], width: number}} Before */

/**
 * @param {import("./data.js").RequestSeries} series
 * @param {number} width Seconds of one point.
 * @param {Before | null} before
 * @returns {Series[]}
 */
function rateSeries(series, width, before) {
  /** @type {Series[]} */
  const all = [
    { label: "requests", values: perSecond(series.count, width), colour: "c-blue", shape: "area", folding: "mean" },
    { label: "failed", values: perSecond(series.failed, width), colour: "c-red", shape: "area", folding: "mean" },
  ];
  const p95 = series.p95_ms ?? series.avg_ms;
  if (p95) all.push({ label: series.p95_ms ? "p95" : "mean", values: p95, colour: "c-orange", unit: "ms", right: true });
  if (before) {
    all.push({ label: "baseline: requests", values: perSecond(before.series.count, before.width), seconds: before.seconds, colour: "c-blue", shape: "baseline", folding: "mean" });
  }
  return all;
}

/**
 * @param {import("./data.js").RequestSeries} series
 * @param {Before | null} before
 * @returns {Series[]}
 */
function latencySeries(series, before) {
  /** @type {[string, import("./scales.js").Column | undefined, string, "line" | "baseline"][]} */
  const known = [
    ["max", series.max_ms, "c-grey", "line"], ["p99", series.p99_ms, "c-red", "line"],
    ["p95", series.p95_ms, "c-orange", "line"], ["mean", series.avg_ms, "c-green", "line"], ["p50", series.p50_ms, "c-blue", "line"],
  ];
  /** @type {Series[]} */
  const all = known.flatMap(([label, values, colour, shape]) => (values ? [{ label, values, colour, shape }] : []));
  // The slowest request of each second would press all that matters flat.
  if (series.p95_ms) for (const each of all) each.isHidden = each.label === "max";
  if (before?.series.p95_ms) {
    all.push({ label: "baseline: p95", values: before.series.p95_ms, seconds: before.seconds, colour: "c-orange", shape: "baseline" });
  }
  return all;
}

/** @param {Timeline} timeline @returns {Series[]} */
function vuSeries(timeline) {
  const { active, planned } = timeline.vus;
  /** @type {Series[]} */
  const all = [{ label: "active", values: active, colour: "c-green", shape: "area" }];
  if (planned?.some((value) => value !== null)) all.unshift({ label: "planned", values: planned, colour: "c-grey", shape: "step" });
  return all;
}

/**
 * @param {import("./data.js").Errors} errors
 * @param {{seconds: number[], width: number}} times
 * @param {string} note
 * @returns {import("./charts.js").Content}
 */
function errorContent(errors, { seconds, width }, note) {
  return {
    seconds: errors.length ? seconds : [], width, unit: "/s", note,
    series: errors.map(({ kind, counts }, index) => ({
      label: kind, values: perSecond(counts, width), colour: ERROR_COLOURS[index % ERROR_COLOURS.length], shape: index ? "line" : "bars", folding: "mean",
    })),
  };
}

/** @param {import("./data.js").Failure} failure @param {string} key @param {boolean} isOpen */
function failureElement(failure, key, isOpen) {
  const share = failure.share === null ? "" : ` (${format(failure.share, "%")} of ${["request", "session"].includes(failure.kind) ? `${failure.kind}s of that name` : "iterations"})`;
  const when = `${failure.kind}${failure.scenario ? ` in ${failure.scenario}` : ""}${failure.place ? `, ${failure.place}` : ""}; first at ${formatNumber(failure.first_at)} s, last at ${formatNumber(failure.last_at)} s${share}`;
  return element("details", { "data-key": key, open: isOpen },
    element("summary", {}, element("b", {}, `${formatNumber(failure.count)}×`), ` ${failure.message}`),
    element("p", { class: "note" }, when),
    failure.details ? element("pre", { tabindex: "0", role: "region", "aria-label": "Details" }, failure.details) : null);
}

/** @param {LoadTest} test @returns {HTMLElement[]} */
function facts(test) {
  const scenarios = Object.entries(test.scenarios).map(([name, options]) => factTable(`Scenario ${name}`, Object.entries(options)
    .filter(([, value]) => value !== null && value !== "" && value !== 0 && !(typeof value === "object" && !Object.keys(value).length))
    .map(([option, value]) => [option, optionText(option, value)])));
  const names = { target: test.target, started: test.started_at === null ? "" : new Date(test.started_at * 1000).toLocaleString(), ...test.environment };
  return [...scenarios, factTable("Environment", Object.entries(names).filter(([, value]) => value))];
}

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
      element("th", { scope: "row", class: "text" }, name.replaceAll("_", " ")), element("td", { class: "text" }, value)))));
}
