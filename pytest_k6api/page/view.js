/**
 * The view of one load test: verdict, figures, thresholds, charts, tables. The report shows one
 * for each load test of the session, the live page one that goes on.
 */

import { TimeChart, Timespan } from "./charts.js";
import {
  ALL, checkRows, choices, distribution, exactOf, heatOf, isOf, labelOf, limitsOf, percentileMarks, rateLimitsOf, ratesOf, seriesOf, timesOf, withoutLast,
} from "./data.js";
import { Distribution } from "./distribution.js";
import { element } from "./elements.js";
import { facts, figures } from "./facts.js";
import { FailureList } from "./failures.js";
import { format, formatNumber } from "./scales.js";
import { errorSeries, latencySeries, rateSeries, vuSeries } from "./series.js";
import { Table } from "./table.js";

/** @typedef {import("./data.js").LoadTest} LoadTest */
/** @typedef {import("./data.js").Timeline} Timeline */

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

const MEASURED_COLUMNS = /** @type {import("./table.js").Column[]} */ ([
  { key: "metric", label: "Metric", unit: "text" },
  { key: "result", label: "Result", unit: "text" },
]);

const SLOWEST_COLUMNS = /** @type {import("./table.js").Column[]} */ ([
  { key: "duration", label: "Duration", unit: "ms" },
  { key: "trace_id", label: "Trace", unit: "text" },
  { key: "method", label: "Method", unit: "text" },
  { key: "name", label: "Name", unit: "text" },
  { key: "scenario", label: "Scenario", unit: "text" },
  { key: "status", label: "Status", unit: "text" },
]);

const CHECK_COLUMNS = /** @type {import("./table.js").Column[]} */ ([
  { key: "check", label: "Check", unit: "text" },
  { key: "group", label: "Group", unit: "text" },
  { key: "passes", label: "Passed", unit: "" },
  { key: "fails", label: "Failed", unit: "" },
  { key: "share", label: "Passed %", unit: "%" },
]);

const WORKER_COLUMNS = /** @type {import("./table.js").Column[]} */ ([
  { key: "number", label: "Worker", unit: "text" },
  { key: "share", label: "Share", unit: "text" },
  { key: "place", label: "Place", unit: "text" },
  { key: "follows", label: "Successor of", unit: "text" },
  { key: "began_at", label: "Since", unit: "ms" },
  { key: "lost_at", label: "Lost at", unit: "ms" },
  { key: "kept_until", label: "Counts until", unit: "ms" },
  { key: "lost", label: "How", unit: "text" },
]);

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
      rate: chart("Requests and failures per second, p95"),
      latency: chart("Latency"),
      heat: chart("Latency, heat map"),
      vus: chart("Virtual users"),
      errors: chart("Errors per second"),
      lateness: chart("Lateness of iterations"),
      data: chart("Data"),
    };
    this.distribution = new Distribution("Latency, distribution");
    this.timespan.listeners.add((what) => { if (what === "range") this.onRange(); });
    /** @type {Map<string, string>} What parts of the page show, as JSON. */
    this.known = new Map();
    this.lead = element("p", { class: "note lead" });
    this.figures = element("dl", { class: "figures" });
    this.reasons = element("ul", { class: "reasons" });
    this.warnings = element("ul", { class: "warnings" });
    this.thresholds = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Thresholds" });
    this.picker = element("select", { "aria-label": "Requests to show", onchange: () => this.onPick() });
    this.whole = element("button", { type: "button", hidden: true, onclick: () => this.timespan.show(null) }, "Show all of the time");
    this.hint = element("span", { class: "note hint" }, "Drag in a chart to zoom; arrow keys, + and − work, too.");
    this.requests = new Table("Requests by name", REQUEST_COLUMNS, {
      sortedBy: "count", onChoose: (row) => this.choose(row), canChoose: (row) => this.selectionOf(row) !== null,
      isChosen: (row) => isOf(row, this.selection), isMarked: isFailed,
    });
    /** @type {Map<string, Table>} By protocol. */
    this.otherTables = new Map();
    this.others = element("div");
    this.measured = new Table("All metrics", MEASURED_COLUMNS);
    this.slowest = new Table("Slowest requests", SLOWEST_COLUMNS);
    this.checks = new Table("Checks", CHECK_COLUMNS, { sortedBy: "fails", isMarked: (row, key) => key === "fails" && Number(row.fails) > 0 });
    this.failures = new FailureList();
    this.workers = new Table("Workers", WORKER_COLUMNS, { isMarked: (_row, key) => key === "lost" });
    this.comparison = element("div");
    this.facts = element("div", { class: "fact-grid" });
    this.chartGrid = element("div", { class: "charts" }, this.charts.rate.element, this.charts.latency.element,
      this.charts.heat.element, this.distribution.element, this.charts.vus.element, this.charts.errors.element,
      this.charts.lateness.element, this.charts.data.element);
    this.parts = {
      thresholds: part("Thresholds", this.thresholds),
      charts: part("Over time", element("div", { class: "tools sticky" }, this.picker, this.whole, this.hint), this.chartGrid),
      failures: part("Failures", this.failures.element),
      requests: part("Requests by name", this.requests.element),
      others: part("Others by name", this.others),
      slowest: part("Slowest requests", this.slowest.element),
      checks: part("Checks", this.checks.element),
      workers: part("Workers", this.workers.element),
      comparison: part("Compared with the baseline", this.comparison),
      measured: part("All metrics", this.measured.element),
      facts: part("Options and environment", this.facts),
    };
    this.links = Object.values(this.parts).map((each) => element("button", { type: "button", class: "link", onclick: () => each.scrollIntoView({ block: "start" }) }));
    this.element = element("div", { class: "load-test" }, this.lead, this.figures, this.reasons, this.warnings,
      element("nav", { class: "parts", "aria-label": `Parts of ${test.name}` }, ...this.links), ...Object.values(this.parts));
    this.show(test);
  }

  /** @param {LoadTest} test */
  show(test) {
    this.test = test;
    const started = test.started_at === null ? "" : `started ${new Date(test.started_at * 1000).toLocaleString()}`;
    this.lead.textContent = [test.target && `on ${test.target}`, started].filter(Boolean).join(" · ");
    this.figures.replaceChildren(...figures(test));
    fillList(this.reasons, test.reasons);
    fillList(this.warnings, test.warnings);
    this.showThresholds();
    this.requests.show(test.requests);
    this.parts.requests.hidden = !test.requests.length;
    this.showOthers();
    this.measured.show(test.measured ?? []);
    this.parts.measured.hidden = !test.measured?.length;
    this.slowest.show(test.slowest ?? []);
    this.parts.slowest.hidden = !test.slowest?.length;
    const checks = checkRows(test.root_group);
    this.checks.show(checks);
    this.parts.checks.hidden = !checks.length;
    this.failures.show(test.failures);
    this.parts.failures.hidden = !test.failures.length;
    // The live page shows workers beside the controls.
    this.workers.show((test.workers ?? []).map(inMilliseconds));
    this.parts.workers.hidden = !test.workers?.length;
    this.showComparison();
    if (this.isNew("facts", [test.scenarios, test.environment, test.target])) this.facts.replaceChildren(...facts(test));
    this.showTimeline(test.timeline);
  }

  showOthers() {
    const others = this.test.other_requests ?? [];
    for (const { protocol, title, requests } of others) {
      let table = this.otherTables.get(protocol);
      if (!table) {
        table = new Table(title, REQUEST_COLUMNS, { sortedBy: "count", isMarked: isFailed });
        this.otherTables.set(protocol, table);
        this.others.append(element("h4", {}, title[0].toUpperCase() + title.slice(1)), table.element);
      }
      table.show(requests);
    }
    this.parts.others.hidden = !others.length;
  }

  /**
   * Return whether a part of the page has to be made anew: what is replaced loses focus and selection.
   * @param {string} part
   * @param {unknown} value
   */
  isNew(part, value) {
    const text = JSON.stringify(value);
    const isNew = this.known.get(part) !== text;
    this.known.set(part, text);
    return isNew;
  }

  showLinks() {
    const { failures, thresholds } = this.test;
    const crossed = thresholds.filter((threshold) => threshold.ok === false).length;
    /** @type {Record<string, string>} */
    const counts = {
      thresholds: crossed ? ` (${formatNumber(crossed)} crossed)` : "", failures: ` (${formatNumber(failures.length)})`,
      requests: ` (${formatNumber(this.test.requests.length)})`,
    };
    Object.entries(this.parts).forEach(([name, each], index) => {
      const link = this.links[index];
      link.hidden = each.hidden;
      link.textContent = (each.querySelector("h3")?.textContent ?? "") + (counts[name] ?? "");
    });
  }

  /** @param {Timeline | null} all */
  showTimeline(all) {
    this.test = { ...this.test, timeline: all };
    // The last point of a load test that runs is not over, unless it is a single second: its
    // counts would look like a drop.
    const timeline = all && this.test.outcome === null && all.width > 1 ? withoutLast(all) : all;
    this.parts.charts.hidden = !timeline || !timeline.seconds.length;
    this.showLinks();
    if (!timeline || this.parts.charts.hidden) return;
    this.fillPicker(timeline);
    const { elapsed } = this;
    const base = { seconds: timeline.seconds, width: timeline.width };
    const series = seriesOf(timeline, this.selection);
    const before = this.baseline();
    const times = series ? timesOf(timeline, series) : { seconds: [], width: 1 };
    if (series) {
      // Other protocols have no series: of a load test without requests there is nothing to draw.
      const drawn = series.count.some((count) => count) ? times : { ...times, seconds: [] };
      this.charts.rate.show({
        ...drawn, unit: "/s", series: rateSeries(series, times, elapsed, before), limits: rateLimitsOf(this.test.thresholds, this.selection),
      });
      this.charts.latency.show({
        ...drawn, unit: "ms", series: latencySeries(series, before),
        limits: limitsOf(this.test.thresholds, "http_req_duration", this.selection),
      });
    }
    const own = series?.errors;
    const errors = errorSeries(own ?? timeline.errors ?? [], own ? times : timeline, elapsed);
    this.charts.errors.show({ ...(own ? times : base), ...(errors.length ? {} : { seconds: [] }), unit: "/s", series: errors, note: own ? "" : this.ofAll });
    this.showHeat(timeline);
    this.showLoad(timeline, series?.data);
    this.onRange();
  }

  /** Whether all requests are shown, or those that are chosen. */
  get isAll() {
    return this.selection.name === null && this.selection.scenario === null;
  }

  /** Seconds of test-run time after which there is nothing: while it runs, points are whole. */
  get elapsed() {
    return this.test.outcome === null ? Infinity : this.test.elapsed;
  }

  /** What is to be said below a chart that does not follow what is chosen. */
  get ofAll() {
    return this.isAll ? "" : "Of the whole load test.";
  }

  /** @returns {import("./series.js").Before | null} What is chosen, in the baseline. */
  baseline() {
    const timeline = this.test.comparison?.timeline ?? null;
    const series = timeline && seriesOf(timeline, this.selection);
    const isFound = series && series.name === this.selection.name && series.scenario === this.selection.scenario;
    return timeline && isFound ? { series, ...timesOf(timeline, series) } : null;
  }

  /** @param {Timeline} timeline */
  showHeat(timeline) {
    const heat = heatOf(timeline, this.selection);
    const seconds = heat?.counts.some((counts) => counts.some((count) => count)) ? heat.seconds : [];
    this.charts.heat.show({ seconds, width: heat?.width ?? 1, unit: "ms", series: [], note: heat?.isOfAll ? this.ofAll : "",
      heat: heat && { edges: heat.edges_ms, counts: heat.counts } });
  }

  /**
   * Show the load, which is counted for the whole load test, and data also for each scenario.
   * @param {Timeline} timeline
   * @param {import("./data.js").Data | null} [own]
   */
  showLoad(timeline, own) {
    const { seconds, width, lateness_p95_ms: lateness } = timeline;
    const data = own ?? timeline.data;
    const base = { seconds, width, note: this.ofAll };
    const rates = (/** @type {import("./scales.js").Column | undefined} */ counts) => ratesOf(counts ?? [], seconds, width, this.elapsed);
    this.charts.vus.show({ ...base, unit: "", series: vuSeries(timeline) });
    this.charts.lateness.show({ ...base, seconds: lateness?.some((value) => value !== null) ? seconds : [], unit: "ms",
      series: [{ label: "p95", values: lateness ?? [], colour: "c-orange" }], limits: limitsOf(this.test.thresholds, "iteration_lateness", ALL) });
    this.charts.data.show({ ...base, note: own ? "" : this.ofAll, seconds: data?.received.some((value) => value) || data?.sent.some((value) => value) ? seconds : [], unit: "B/s", series: [
      { label: "received", values: rates(data?.received), colour: "c-blue", folding: "mean" },
      { label: "sent", values: rates(data?.sent), colour: "c-purple", folding: "mean" }] });
  }

  onRange() {
    const { timeline } = this.test;
    const { range } = this.timespan;
    this.whole.hidden = range === null;
    const heat = timeline && heatOf(timeline, this.selection);
    const edges = heat?.edges_ms ?? [];
    const counts = heat ? distribution(heat, range) : [];
    const exact = range === null && !(heat?.isOfAll && !this.isAll) ? exactOf(this.test, this.selection) : null;
    this.distribution.show(edges, counts, percentileMarks(counts, edges, exact),
      [heat?.isOfAll ? this.ofAll : "", range === null ? "" : "Of the time that is shown; percentiles are those of the bars."].filter(Boolean).join(" "));
  }

  /** @param {Timeline} timeline */
  fillPicker(timeline) {
    const labels = choices(timeline).map((choice) => choice.label);
    // A list that is replaced closes while people choose from it.
    if (this.isNew("picker", labels)) this.picker.replaceChildren(...labels.map((label) => element("option", {}, label)));
    this.picker.hidden = labels.length < 2;
    this.picker.selectedIndex = Math.max(0, labels.indexOf(labelOf(this.selection)));
  }

  onPick() {
    const { timeline } = this.test;
    if (timeline) this.select(choices(timeline)[this.picker.selectedIndex].selection);
  }

  /** @param {import("./data.js").Selection} selection */
  select(selection) {
    this.selection = selection;
    this.requests.draw();
    this.showTimeline(this.test.timeline);
  }

  /**
   * Return what a row of the table stands for; null where the timeline has nothing of it.
   * @param {import("./table.js").Row} row
   * @returns {import("./data.js").Selection | null}
   */
  selectionOf(row) {
    const found = this.test.timeline?.requests.find(({ scenario, name }) => isOf(row, { scenario, name }));
    return found ? { scenario: found.scenario, name: found.name } : null;
  }

  /** @param {import("./table.js").Row} row */
  choose(row) {
    const selection = this.selectionOf(row);
    if (selection === null) return;
    this.select(isOf(row, this.selection) ? ALL : selection);
    this.parts.charts.scrollIntoView({ block: "start" });
    this.picker.focus({ preventScroll: true });
  }

  showThresholds() {
    const { thresholds } = this.test;
    this.parts.thresholds.hidden = !thresholds.length;
    if (!this.isNew("thresholds", thresholds)) return;
    this.thresholds.replaceChildren(element("table", { class: "thresholds" },
      element("thead", {}, element("tr", {}, ...["", "Metric", "Threshold", "Observed"].map((head) =>
        element("th", { scope: "col", class: "text" }, head || element("span", { class: "unseen" }, "State"))))),
      element("tbody", {}, ...thresholds.map((threshold) => element("tr", { class: threshold.ok === false ? "bad" : null },
        element("td", { class: "text" }, mark(threshold.ok)),
        element("td", { class: "text" }, threshold.metric),
        element("td", { class: "text" }, element("code", {}, [threshold.expression, threshold.window].filter(Boolean).join(" "))),
        element("td", { class: "text" }, threshold.observed_text || format(threshold.observed, "")))))));
  }

  showComparison() {
    const { comparison } = this.test;
    this.parts.comparison.hidden = !comparison;
    if (!comparison || !this.isNew("comparison", comparison.numbers)) return;
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

/** @param {import("./table.js").Row} row @param {string} key */
function isFailed(row, key) {
  return key === "failed" && Number(row.failed) > 0;
}

/** @param {string} title @param {...HTMLElement} content */
function part(title, ...content) {
  return element("section", { class: "part" }, element("h3", {}, title), ...content);
}

/** @param {import("./data.js").Worker} worker @returns {import("./table.js").Row} */
function inMilliseconds(worker) {
  const of = (/** @type {number | null} */ seconds) => (seconds === null ? null : seconds * 1000);
  return { ...worker, began_at: of(worker.began_at), lost_at: of(worker.lost_at), kept_until: of(worker.kept_until) };
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
