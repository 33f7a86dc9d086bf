/**
 * The document of a load test, and what charts and tables want of it. Pure, without a document of HTML.
 */

import { bucketPercentile, indexAt } from "./scales.js";
import { sumOfRows } from "./shapes.js";

/** @typedef {import("./scales.js").Column} Column */

/**
 * Requests by second: of all, of a scenario, or of a name.
 * @typedef {object} RequestSeries
 * @property {string | null} scenario Null for all.
 * @property {string | null} name Null for all.
 * @property {Column} count
 * @property {Column} failed
 * @property {Column} [p50_ms]
 * @property {Column} [p95_ms]
 * @property {Column} [p99_ms]
 * @property {Column} [avg_ms]
 * @property {Column} [max_ms]
 * @property {Errors} [errors]
 * @property {Data | null} [data] Null for a name.
 * @property {number[][] | null} [heat] Requests by latency, with rows of `heat_width` seconds; null for all.
 */

/** Errors by kind. @typedef {{kind: string, counts: Column}[]} Errors */

/** Bytes. @typedef {{sent: Column, received: Column}} Data */

/**
 * A load test by second. A load test may lack what it did not measure.
 * @typedef {object} Timeline
 * @property {number} width Seconds of one point.
 * @property {number[]} seconds When each point begins, in test-run time.
 * @property {{active: Column, planned?: Column}} vus
 * @property {Column} [lateness_p95_ms]
 * @property {Data} [data]
 * @property {Errors} [errors]
 * @property {{edges_ms: number[], counts: number[][]}} [heatmap]
 * @property {number} [heat_width]
 * @property {RequestSeries[]} requests
 * @property {number} [name_width] How many points of the others one of a name's stands for.
 */

/**
 * @typedef {object} Threshold
 * @property {string} metric
 * @property {string} expression
 * @property {string} window
 * @property {boolean | null} ok
 * @property {number | null} observed
 * @property {string} [observed_text]
 */

/**
 * @typedef {object} Check
 * @property {string} name
 * @property {number} passes
 * @property {number} fails
 */

/**
 * @typedef {object} Group
 * @property {string} name
 * @property {string} path
 * @property {Record<string, Group>} groups
 * @property {Record<string, Check>} checks
 */

/**
 * @typedef {object} Failure
 * @property {string} kind
 * @property {string} scenario
 * @property {string} message
 * @property {string} place
 * @property {number} count
 * @property {number | null} share
 * @property {number} first_at
 * @property {number} last_at
 * @property {string} details
 */

/**
 * @typedef {object} Worker
 * @property {number} number
 * @property {number} share
 * @property {string} place
 * @property {number | null} follows
 * @property {number | null} began_at
 * @property {string} lost
 * @property {number | null} lost_at
 * @property {number | null} kept_until
 */

/**
 * @typedef {object} Comparison
 * @property {string} title
 * @property {{metric: string, stat: string, before: string, after: string, change: string, noise: string, broken: boolean}[]} numbers
 * @property {string[]} failures
 * @property {string[]} notes
 * @property {Timeline | null} timeline
 */

/**
 * The results of a load test: `docs/reference/results-format.md`.
 * @typedef {object} LoadTest
 * @property {string} name
 * @property {string | null} outcome
 * @property {number | null} started_at
 * @property {number} elapsed
 * @property {string} target
 * @property {string[]} reasons
 * @property {string[]} warnings
 * @property {Record<string, string>} environment
 * @property {Record<string, Record<string, unknown>>} scenarios
 * @property {Threshold[]} thresholds
 * @property {Group} root_group
 * @property {import("./table.js").Row[]} requests
 * @property {import("./table.js").Row[]} [slowest] With their traces; of reports that know of such.
 * @property {{protocol: string, title: string, requests: import("./table.js").Row[]}[]} [other_requests] Those of other protocols than HTTP.
 * @property {import("./table.js").Row[]} [measured] All metrics.
 * @property {Failure[]} failures
 * @property {Worker[]} [workers] In saved results.
 * @property {Record<string, Record<string, number>>} numbers
 * @property {Comparison | null} comparison
 * @property {Timeline | null} timeline
 */

/** Which requests are shown; null for all. @typedef {{scenario: string | null, name: string | null}} Selection */

/** @type {Selection} */
export const ALL = { scenario: null, name: null };

/**
 * Return what can be chosen: all, then each scenario of several, then each name.
 * @param {Timeline} timeline
 * @returns {{label: string, selection: Selection}[]}
 */
export function choices(timeline) {
  return timeline.requests.map(({ scenario, name }) => ({ label: labelOf({ scenario, name }), selection: { scenario, name } }));
}

/** @param {Selection} selection @returns {string} */
export function labelOf({ scenario, name }) {
  if (name === null) return scenario === null ? "All requests" : `Scenario ${scenario}`;
  return scenario === null ? name : `${name} (${scenario})`;
}

/**
 * Return the series of `selection`; of all requests where there is none.
 * @param {Timeline} timeline
 * @param {Selection} selection
 * @returns {RequestSeries | undefined}
 */
export function seriesOf(timeline, selection) {
  const { requests } = timeline;
  return requests.find((each) => each.scenario === selection.scenario && each.name === selection.name)
    ?? requests.find((each) => each.name === selection.name && selection.name !== null)
    ?? requests.find((each) => each.scenario === null && each.name === null);
}

/**
 * Return when the points of a series begin, and how many seconds each of them stands for.
 * @param {Timeline} timeline
 * @param {RequestSeries} series
 * @returns {{seconds: number[], width: number}}
 */
export function timesOf(timeline, series) {
  const size = series.name === null ? 1 : timeline.name_width ?? 1;
  return { seconds: timeline.seconds.filter((_, index) => index % size === 0), width: timeline.width * size };
}

/**
 * Return counts as numbers per second.
 * @param {Column} counts
 * @param {number} width Seconds of one point.
 * @returns {(number | null)[]}
 */
export function perSecond(counts, width) {
  return counts.map((count) => (count === null ? null : count / width));
}

/**
 * Return counts as numbers per second; the last point may be cut short by the end.
 * @param {Column} counts
 * @param {readonly number[]} seconds When each point begins.
 * @param {number} width Seconds of one point.
 * @param {number} elapsed Seconds of test-run time.
 * @returns {(number | null)[]}
 */
export function ratesOf(counts, seconds, width, elapsed) {
  const last = seconds.length - 1;
  const left = elapsed - seconds[last];
  const rates = perSecond(counts, width);
  // Less than a tenth of a point is a moment, from which no rate can be told.
  if (left > width / 10 && left < width && typeof counts[last] === "number") rates[last] = counts[last] / left;
  return rates;
}

/**
 * Requests by latency and time: of a selection where that is kept, of all otherwise.
 * @typedef {object} HeatRows
 * @property {number[]} edges_ms
 * @property {number[][]} counts A row for each point.
 * @property {number[]} seconds When each point begins.
 * @property {number} width Seconds of one point.
 * @property {boolean} isOfAll
 */

/**
 * Return the requests of a selection by latency and time; null if nothing is kept.
 * @param {Timeline} timeline
 * @param {Selection} selection
 * @returns {HeatRows | null}
 */
export function heatOf(timeline, selection) {
  const { heatmap, seconds, width } = timeline;
  if (!heatmap) return null;
  const own = seriesOf(timeline, selection)?.heat;
  const long = timeline.heat_width ?? width;
  if (own) return { counts: own, edges_ms: heatmap.edges_ms, seconds: own.map((_, index) => index * long), width: long, isOfAll: false };
  return { ...heatmap, seconds, width, isOfAll: true };
}

/**
 * Return the counts of every bucket between two moments.
 * @param {HeatRows} heat
 * @param {[number, number] | null} range Null for all of the time.
 * @returns {number[]} Empty without a heat map.
 */
export function distribution({ counts, seconds }, range) {
  return sumOfRows(range === null ? counts : counts.slice(indexAt(seconds, range[0]), indexAt(seconds, range[1]) + 1));
}

/**
 * Return percentiles of a distribution: exact ones where they are known, else those of its buckets.
 * @param {readonly number[]} counts
 * @param {readonly number[]} edges
 * @param {Record<string, number | string | boolean | null> | null} exact
 */
export function percentileMarks(counts, edges, exact) {
  return [50, 95, 99].map((rank) => {
    const known = exact?.[`p${rank}`];
    return { label: `p${rank}`, value: typeof known === "number" ? known : bucketPercentile(counts, edges, rank) };
  });
}

/**
 * Return the percentiles that tables show of the selected requests; null where there are none.
 * @param {LoadTest} test
 * @param {Selection} selection
 * @returns {Record<string, number | string | boolean | null> | null}
 */
export function exactOf(test, selection) {
  if (selection.name !== null || selection.scenario !== null) {
    const rows = test.requests.filter((row) => isOf(row, selection));
    return rows.length === 1 ? rows[0] : null;  // a name of two scenarios has a row in each
  }
  const { med = null, "p(95)": p95 = null, "p(99)": p99 = null } = test.numbers.http_req_duration ?? {};
  return { p50: med, p95, p99 };
}

/**
 * Return whether a row of the table of requests is of those that are selected.
 * @param {import("./table.js").Row} row
 * @param {Selection} selection
 * @returns {boolean}
 */
export function isOf(row, { scenario, name }) {
  if (name === null) return scenario !== null && row.is_sum === true && row.scenario === scenario;
  return row.is_sum !== true && row.name === name && (scenario === null || row.scenario === scenario);
}

/**
 * Return the thresholds on a metric as lines of its chart.
 *
 * One with a tag filter is left out unless its filter is the selected name or scenario.
 * @param {readonly Threshold[]} thresholds
 * @param {string} metric
 * @param {Selection} selection
 * @returns {{value: number, label: string, crossed: boolean}[]}
 */
export function limitsOf(thresholds, metric, selection) {
  return thresholds.flatMap((threshold) => {
    const found = /^(.+?)(?:\{(.*)\})?$/.exec(threshold.metric);
    const limit = /^\s*([\w().]+)\s*[<>=]+\s*(-?[\d.]+(?:e-?\d+)?)\s*$/i.exec(threshold.expression);
    if (!found || !limit || found[1] !== metric || !isAbout(found[2] ?? "", selection)) return [];
    const label = found[2] && found[2] !== "expected_response:true" ? `${threshold.expression} {${found[2]}}` : threshold.expression;
    return [{ value: Number(limit[2]), label, crossed: threshold.ok === false }];
  });
}

/**
 * Return the thresholds on the rate of the selected requests, and not of others, as lines of its chart.
 * @param {readonly Threshold[]} thresholds
 * @param {Selection} selection
 */
export function rateLimitsOf(thresholds, selection) {
  const isAll = selection.name === null && selection.scenario === null;
  const rates = thresholds.filter(({ metric, expression }) => /^\s*rate\b/.test(expression) && metric.includes("{") === !isAll);
  return limitsOf(rates, "http_reqs", selection);
}

/** @param {string} filter @param {Selection} selection @returns {boolean} */
function isAbout(filter, { scenario, name }) {
  if (!filter || filter === "expected_response:true") return true;
  const tags = filter.split(",").map((tag) => tag.trim());
  return tags.every((tag) => tag === `name:${name}` || tag === `scenario:${scenario}`);
}

/**
 * Return the checks of `group` and of all groups in it, each with the names of its groups.
 * @param {Group} group
 * @returns {import("./table.js").Row[]}
 */
export function checkRows(group) {
  const own = Object.values(group.checks).map(({ name, passes, fails }) => ({
    check: name, group: group.path.split("::").filter(Boolean).join(" › "), passes, fails,
    share: passes + fails ? passes / (passes + fails) : null,
  }));
  return [...own, ...Object.values(group.groups).flatMap(checkRows)];
}

/**
 * Return whether a later answer goes on where `timeline` ends, with points as long.
 * @param {Timeline} timeline
 * @param {Timeline} later
 * @returns {boolean}
 */
export function isNext(timeline, later) {
  const { seconds, width } = timeline;
  const end = seconds.length ? seconds[seconds.length - 1] + width : 0;
  return later.width === width && later.heat_width === timeline.heat_width && (later.seconds[0] ?? 0) <= end;
}

/**
 * Add to `timeline` what a later answer has; seconds that it has already are replaced.
 *
 * In place: an hour of fifty names has a million numbers, and every second brings three hundred.
 * @param {Timeline} timeline
 * @param {Timeline} later One for which `isNext`.
 */
export function extend(timeline, later) {
  if (!later.seconds.length) return;
  const found = timeline.seconds.findIndex((second) => second >= later.seconds[0]);
  const kept = found < 0 ? timeline.seconds.length : found;
  const size = kept + later.seconds.length;
  const join = (/** @type {Column | undefined} */ column, /** @type {Column | undefined} */ added) =>
    joined(/** @type {(number | null)[]} */ (column ?? []), added ?? [], kept, size);
  timeline.seconds = joined(timeline.seconds, later.seconds, kept, size);
  timeline.vus = { active: join(timeline.vus.active, later.vus.active), planned: join(timeline.vus.planned, later.vus.planned) };
  timeline.lateness_p95_ms = join(timeline.lateness_p95_ms, later.lateness_p95_ms);
  const joinData = (/** @type {Data | null | undefined} */ data, /** @type {Data | null | undefined} */ added) =>
    ({ sent: join(data?.sent, added?.sent), received: join(data?.received, added?.received) });
  const joinErrors = (/** @type {Errors | undefined} */ errors, /** @type {Errors | undefined} */ more) =>
    merged(errors ?? [], more ?? [], (error) => error.kind).map(([old, added]) => ({
      kind: (added ?? old)?.kind ?? "", counts: join(old?.counts, added?.counts),
    }));
  timeline.data = joinData(timeline.data, later.data);
  timeline.errors = joinErrors(timeline.errors, later.errors);
  if (later.heatmap) {
    const counts = joined(timeline.heatmap?.counts ?? [], later.heatmap.counts, kept, size);
    timeline.heatmap = { edges_ms: later.heatmap.edges_ms, counts };
  }
  const none = new Array((later.heatmap?.edges_ms.length ?? 1) - 1).fill(0);
  timeline.requests = merged(timeline.requests, later.requests, (each) => JSON.stringify([each.scenario, each.name])).map(([old, added]) => {
    const known = /** @type {RequestSeries} */ (added ?? old);
    /** @type {RequestSeries} */
    const series = { scenario: known.scenario, name: known.name, count: join(old?.count, added?.count), failed: join(old?.failed, added?.failed) };
    for (const key of TIMES) if (old?.[key] || added?.[key]) series[key] = join(old?.[key], added?.[key]);
    if (old?.errors || added?.errors) series.errors = joinErrors(old?.errors, added?.errors);
    series.data = old?.data || added?.data ? joinData(old?.data, added?.data) : null;
    series.heat = joinedHeat(old?.heat, added?.heat, Math.floor(later.seconds[0] / (timeline.heat_width ?? 1)), none);
    return series;
  });
}

/**
 * Return rows of a heat map with later ones from row `first` on.
 * @param {number[][] | null | undefined} rows
 * @param {number[][] | null | undefined} added
 * @param {number} first
 * @param {number[]} none A row without a request.
 * @returns {number[][] | null}
 */
function joinedHeat(rows, added, first, none) {
  if (!added) return rows ?? null;
  const all = rows ?? [];
  all.length = Math.min(all.length, first);
  while (all.length < first) all.push(none);
  all.push(...added);
  return all;
}

/**
 * Return `column`, cut to `kept`, with `added` behind it; null stands where neither has a value.
 * @template Value
 * @param {Value[]} column
 * @param {readonly Value[]} added
 * @param {number} kept
 * @param {number} size
 * @returns {Value[]}
 */
function joined(column, added, kept, size) {
  column.length = Math.min(column.length, kept);
  while (column.length < kept) column.push(/** @type {any} */ (null));
  for (let index = 0; index < size - kept; index += 1) column.push(added[index] ?? /** @type {any} */ (null));
  return column;
}

/**
 * Return `timeline` without its last point.
 * @param {Timeline} timeline
 * @returns {Timeline}
 */
export function withoutLast(timeline) {
  const { heatmap } = timeline;
  // Columns are as long as the seconds, and are looked at by them: the others need no cut.
  return {
    ...timeline, seconds: timeline.seconds.slice(0, -1),
    heatmap: heatmap && { ...heatmap, counts: heatmap.counts.slice(0, -1) },
  };
}

/** @type {("p50_ms" | "p95_ms" | "p99_ms" | "avg_ms" | "max_ms")[]} */
const TIMES = ["p50_ms", "p95_ms", "p99_ms", "avg_ms", "max_ms"];

/**
 * @template Item
 * @param {Item[]} old
 * @param {Item[]} added
 * @param {(item: Item) => string} keyOf
 * @returns {[Item | undefined, Item | undefined][]}
 */
function merged(old, added, keyOf) {
  /** @type {Map<string, [Item | undefined, Item | undefined]>} */
  const pairs = new Map(old.map((item) => [keyOf(item), [item, undefined]]));
  for (const item of added) pairs.set(keyOf(item), [pairs.get(keyOf(item))?.[0], item]);
  return [...pairs.values()];
}
