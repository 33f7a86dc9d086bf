/** What the charts of a load test show, of all requests or of those that are chosen. */

import { perSecond, ratesOf } from "./data.js";
import { total } from "./scales.js";

/** @typedef {import("./data.js").Timeline} Timeline */
/** @typedef {import("./charts.js").Series} Series */

const ERROR_COLOURS = ["c-red", "c-orange", "c-purple", "c-blue", "c-green", "c-grey"];

/** A series of the baseline, with its times. @typedef {{series: import("./data.js").RequestSeries, seconds: number[], width: number}} Before */

/**
 * @param {import("./data.js").RequestSeries} series
 * @param {{seconds: number[], width: number}} times
 * @param {number} elapsed
 * @param {Before | null} before
 * @returns {Series[]}
 */
export function rateSeries(series, { seconds, width }, elapsed, before) {
  /** @type {Series[]} */
  const all = [
    { label: "requests", values: ratesOf(series.count, seconds, width, elapsed), colour: "c-blue", shape: "area", folding: "mean" },
    { label: "failed", values: ratesOf(series.failed, seconds, width, elapsed), colour: "c-red", shape: "area", folding: "mean" },
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
export function latencySeries(series, before) {
  /** @type {[string, import("./scales.js").Column | undefined, string, "line" | "baseline"][]} */
  const known = [
    ["p50", series.p50_ms, "c-blue", "line"], ["mean", series.avg_ms, "c-green", "line"], ["p95", series.p95_ms, "c-orange", "line"],
    ["p99", series.p99_ms, "c-red", "line"], ["max", series.max_ms, "c-grey", "line"],
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
export function vuSeries(timeline) {
  const { active, planned } = timeline.vus;
  /** @type {Series[]} */
  const all = [{ label: "active", values: active, colour: "c-green", shape: "area" }];
  if (planned?.some((value) => value !== null)) all.unshift({ label: "planned", values: planned, colour: "c-grey", shape: "step" });
  return all;
}

/**
 * Return the errors by kind: the most frequent ones, and all others as one.
 * @param {import("./data.js").Errors} errors
 * @param {{seconds: number[], width: number}} times
 * @param {number} elapsed
 * @returns {Series[]}
 */
export function errorSeries(errors, { seconds, width }, elapsed) {
  const kinds = [...errors].sort((one, other) => total(other.counts) - total(one.counts));
  const most = ERROR_COLOURS.length;
  const shown = kinds.length > most ? kinds.slice(0, most - 1) : kinds;
  const rest = kinds.slice(shown.length);
  if (rest.length) {
    const counts = seconds.map((_, index) => rest.reduce((sum, each) => sum + (each.counts[index] ?? 0), 0));
    shown.push({ kind: `${rest.length} other kinds`, counts });
  }
  return shown.map(({ kind, counts }, index) => ({
    label: kind, values: ratesOf(counts, seconds, width, elapsed), colour: ERROR_COLOURS[index], shape: "bars", folding: "mean",
  }));
}
