/**
 * Scales, ticks, downsampling and numbers as text: what charts compute. Pure, without a document.
 */

/**
 * A position for each value, and a value for each position.
 * @typedef {object} Scale
 * @property {(value: number) => number} place Return the position of a value.
 * @property {(position: number) => number} value Return the value at a position.
 * @property {[number, number]} domain The values at both ends.
 */

/** Numbers by second; null where there is none. @typedef {readonly (number | null)[]} Column */

/**
 * Return a linear scale. A domain without extent is placed in the middle.
 * @param {readonly [number, number]} domain
 * @param {readonly [number, number]} range
 * @returns {Scale}
 */
export function linearScale([low, high], [from, to]) {
  const extent = high - low;
  return {
    domain: [low, high],
    place: (value) => (extent ? from + ((value - low) / extent) * (to - from) : (from + to) / 2),
    value: (position) => (to === from ? low : low + ((position - from) / (to - from)) * extent),
  };
}

/**
 * Return the round numbers from 0 or `low` to `high`: steps of 1, 2 or 5 times a power of ten.
 * @param {number} low
 * @param {number} high
 * @param {number} most How many there may be, at least 2.
 * @returns {number[]} Multiples of one step within the bounds; `[low]` without extent.
 */
export function ticks(low, high, most) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, most - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * (1 - 1e-9)) ?? power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  // Divided where the step is a fraction: 3 * 0.1 is not 0.3.
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const number = first + index;
    return step < 1 ? number / Math.round(1 / step) : number * step;
  });
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

/**
 * Return the times to label on an axis of seconds: whole seconds, minutes, hours.
 * @param {number} low
 * @param {number} high
 * @param {number} most
 * @returns {number[]}
 */
export function timeTicks(low, high, most) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, most - 1);
  const step = TIME_STEPS.find((size) => size >= rough) ?? Math.ceil(rough / 86400) * 86400;
  const found = [];
  for (let time = Math.ceil(low / step) * step; time <= high; time += step) found.push(time);
  return found.length ? found : [low];
}

/**
 * Return the upper end of an axis that begins at 0: `highest` and a little room.
 * @param {number} highest
 * @returns {number} 1 where everything is 0.
 */
export function axisTop(highest) {
  return highest > 0 ? highest * 1.06 : 1;
}

/**
 * How points that share a place on the screen become one: the highest, the mean, the sum or the last.
 * @typedef {"highest" | "mean" | "sum" | "last"} Folding
 */

/**
 * Return `column` with each `size` neighbours folded into one; nulls do not count.
 * @param {Column} column
 * @param {number} size
 * @param {Folding} folding
 * @returns {(number | null)[]}
 */
export function fold(column, size, folding) {
  if (size <= 1) return [...column];
  const folded = [];
  for (let start = 0; start < column.length; start += size) {
    const some = column.slice(start, start + size).filter((value) => value !== null);
    folded.push(some.length ? FOLDINGS[folding](/** @type {number[]} */ (some)) : null);
  }
  return folded;
}

/** @type {Record<Folding, (some: number[]) => number>} */
const FOLDINGS = {
  highest: (some) => Math.max(...some),
  mean: (some) => total(some) / some.length,
  sum: (some) => total(some),
  last: (some) => some[some.length - 1],
};

/**
 * Return how many neighbours share a point, so that `count` of them have at most `most` points.
 * @param {number} count
 * @param {number} most
 * @returns {number} At least 1.
 */
export function foldSize(count, most) {
  return Math.max(1, Math.ceil(count / Math.max(1, most)));
}

/**
 * Return the sum of `column`; nulls do not count.
 * @param {Column} column
 * @returns {number}
 */
export function total(column) {
  let sum = 0;
  for (const value of column) sum += value ?? 0;
  return sum;
}

/**
 * Return the highest number of `column`; 0 if there is none.
 * @param {Column} column
 * @returns {number}
 */
export function highest(column) {
  let most = 0;
  for (const value of column) if (value !== null && value > most) most = value;
  return most;
}

/**
 * Return the index of the last of `sorted` that does not exceed `value`; 0 if there is none.
 * @param {readonly number[]} sorted
 * @param {number} value
 * @returns {number}
 */
export function indexAt(sorted, value) {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (sorted[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return Math.max(0, low);
}

/**
 * Return a percentile of counted buckets, interpolated on a logarithmic scale within its bucket.
 * @param {readonly number[]} counts
 * @param {readonly number[]} edges One more than there are counts.
 * @param {number} rank 0 to 100.
 * @returns {number | null} Null without any count.
 */
export function bucketPercentile(counts, edges, rank) {
  const wanted = (total(counts) * rank) / 100;
  if (!(total(counts) > 0)) return null;
  let seen = 0;
  for (let index = 0; index < counts.length; index += 1) {
    if (seen + counts[index] >= wanted && counts[index]) {
      const [low, high] = [edges[index], edges[index + 1]];
      const share = (wanted - seen) / counts[index];
      return low > 0 ? low * (high / low) ** share : high * share;
    }
    seen += counts[index];
  }
  return edges[edges.length - 1];
}

/** What the numbers of a chart or column stand for. @typedef {"ms" | "/s" | "B/s" | "B" | "%" | "" } Unit */

/**
 * Return a number with its unit, as people read it; "–" for none.
 * @param {number | null | undefined} value Times in milliseconds, shares as 0 to 1, data in bytes.
 * @param {Unit} unit
 * @returns {string}
 */
export function format(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (unit === "ms") return formatTime(value);
  if (unit === "%") return formatShare(value);
  if (unit === "B" || unit === "B/s") return formatBytes(value) + unit.slice(1);
  return formatNumber(value) + unit;
}

/**
 * Return a plain number: three digits that count, thousands apart.
 * @param {number} value
 * @returns {string}
 */
export function formatNumber(value) {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

/**
 * Return a share in percent, with two digits behind the point; what is not none or all never looks so.
 * @param {number} share
 * @returns {string}
 */
export function formatShare(share) {
  const percent = share * 100;
  if (percent > 0 && percent < 0.01) return "<0.01%";
  if (percent < 100 && percent > 99.99) return ">99.99%";
  return `${percent.toLocaleString("en-US", { maximumFractionDigits: 2 })}%`;
}

/**
 * Return milliseconds in the unit that reads best.
 * @param {number} ms
 * @returns {string}
 */
export function formatTime(ms) {
  const size = Math.abs(ms);
  if (size === 0) return "0 ms";
  if (size < 1) return `${formatNumber(Math.round(ms * 1000))} µs`;
  if (size < 1000) return `${formatNumber(ms)} ms`;
  return `${formatNumber(ms / 1000)} s`;
}

const BYTES = ["B", "kB", "MB", "GB", "TB"];

/**
 * Return bytes in the unit that reads best, by thousands.
 * @param {number} bytes
 * @returns {string}
 */
export function formatBytes(bytes) {
  let value = bytes;
  let power = 0;
  while (Math.abs(value) >= 1000 && power < BYTES.length - 1) {
    value /= 1000;
    power += 1;
  }
  return `${formatNumber(value)} ${BYTES[power]}`;
}

/**
 * Return seconds of test-run time as a clock shows them: "0:07", "12:30", "1:00:00".
 * @param {number} seconds
 * @returns {string}
 */
export function formatClock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/**
 * Return how long something took, in words: "7.4 s", "12 min 30 s", "1 h 5 min".
 * @param {number} seconds
 * @returns {string}
 */
export function formatDuration(seconds) {
  if (seconds < 60) return `${formatNumber(Math.round(seconds * 10) / 10)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 60)} h`;
}
