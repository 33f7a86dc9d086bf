/**
 * Paths of lines and bars, and buckets of latencies: what charts draw. Pure, without a document.
 */

import { indexAt } from "./scales.js";

/**
 * Return the path of a line through `points`; null begins it anew.
 * @param {([number, number] | null)[]} points
 * @param {boolean} isStepped Whether it goes on level until the next point.
 * @param {number | null} base Where an area is closed; null for a line.
 * @returns {string}
 */
export function linePath(points, isStepped, base) {
  let path = "";
  /** @type {[number, number] | null} */
  let before = null;
  let start = 0;
  const close = () => (base !== null && before ? `L${px(before[0])} ${px(base)}L${px(start)} ${px(base)}Z` : "");
  points.forEach((point, index) => {
    if (point === null) {
      path += close();
    } else if (before === null) {
      [start] = point;
      // A point without neighbours is a short line, so that it is seen.
      const isAlone = points[index + 1] === null || index + 1 === points.length;
      path += `M${px(point[0])} ${px(point[1])}${isAlone ? "h1.5" : ""}`;
    } else {
      path += `${isStepped ? `H${px(point[0])}` : ""}L${px(point[0])} ${px(point[1])}`;
    }
    before = point;
  });
  return path + close();
}

/** @param {number} left @param {number} top @param {number} width @param {number} bottom @returns {string} */
export function rectangle(left, top, width, bottom) {
  return `M${px(left)} ${px(top)}h${px(width)}V${px(bottom)}h${px(-width)}Z`;
}

/** @param {number} value @returns {number} */
function px(value) {
  return Math.round(value * 10) / 10;
}

/** @param {readonly (readonly number[])[]} rows @returns {number[]} */
export function sumOfRows(rows) {
  const sums = new Array(rows[0]?.length ?? 0).fill(0);
  for (const row of rows) row.forEach((count, index) => { sums[index] += count; });
  return sums;
}

/**
 * Return the first and the last bucket that has a count in any row.
 * @param {readonly (readonly number[])[]} rows
 * @returns {[number, number]}
 */
export function usedBuckets(rows) {
  const sums = sumOfRows(rows);
  const first = sums.findIndex((count) => count > 0);
  if (first < 0) return [0, Math.max(0, sums.length - 1)];
  let last = sums.length - 1;
  while (!sums[last]) last -= 1;
  return [first, last];
}

/**
 * Return where a value lies among buckets, as a fractional index on their logarithmic scale.
 * @param {readonly number[]} edges
 * @param {number} value
 * @returns {number}
 */
export function bucketPlace(edges, value) {
  const index = Math.min(indexAt(edges, value), edges.length - 2);
  const [low, high] = [edges[index], edges[index + 1]];
  if (value <= low) return index;
  const share = low > 0 ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return index + Math.min(1, share);
}

/**
 * Return about `most` of `items`, evenly apart, with their indexes.
 * @template Item
 * @param {readonly Item[]} items
 * @param {number} most
 * @returns {[Item, number][]}
 */
export function everyNth(items, most) {
  const step = Math.max(1, Math.ceil(items.length / most));
  return items.map((item, index) => /** @type {[Item, number]} */ ([item, index])).filter(([, index]) => index % step === 0);
}

/**
 * Return what bars stand on that are stacked: the sum of those before, at each place.
 * @param {readonly import("./scales.js").Column[]} columns
 * @returns {number[][]} A column for each, and one more: the tops of all.
 */
export function stacked(columns) {
  let under = /** @type {number[]} */ (new Array(Math.max(0, ...columns.map((column) => column.length))).fill(0));
  const bases = [under];
  for (const column of columns) {
    under = under.map((base, index) => base + (column[index] ?? 0));
    bases.push(under);
  }
  return bases;
}
