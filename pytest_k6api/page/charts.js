/**
 * Charts over time, as SVG: no library, nothing fetched.
 *
 * All time charts of a view share one `Timespan`: what is dragged in one is shown by all, and
 * so is the moment under the pointer. Values stand in the legend, exact, for that moment.
 */

import { drawn, element } from "./elements.js";
import {
  axisTop, fold, foldSize, format, formatClock, highest, indexAt, linearScale, ticks, timeTicks, total,
} from "./scales.js";
import { everyNth, linePath, rectangle, stacked, sumOfRows, usedBuckets } from "./shapes.js";

/** @typedef {import("./scales.js").Column} Column */
/** @typedef {import("./scales.js").Folding} Folding */
/** @typedef {import("./scales.js").Unit} Unit */

/**
 * One line, area or row of bars.
 * @typedef {object} Series
 * @property {string} label
 * @property {Column} values One for each second of the chart.
 * @property {string} colour The class that gives its colour.
 * @property {"line" | "step" | "area" | "bars" | "baseline"} [shape] A line where it is left out. Bars
 *   stand on those of the series before.
 * @property {Unit} [unit] That of the chart where it is left out.
 * @property {Folding} [folding] How seconds become one point: the highest where it is left out.
 * @property {boolean} [right] Whether its axis is the one on the right.
 * @property {boolean} [isHidden] Whether it is left out until it is chosen in the legend.
 * @property {number[]} [seconds] Its own seconds, where they are not the chart's: a baseline's.
 */

/**
 * Requests by latency and second.
 * @typedef {object} Heat
 * @property {readonly number[]} edges Milliseconds; one more than there are buckets.
 * @property {readonly (readonly number[])[]} counts For each second, how many in each bucket.
 */

/**
 * What a time chart shows.
 * @typedef {object} Content
 * @property {readonly number[]} seconds When each second begins, in test-run time.
 * @property {number} width Seconds of one point.
 * @property {Series[]} series
 * @property {Unit} unit
 * @property {{value: number, label: string, crossed: boolean}[]} [limits] Lines of thresholds.
 * @property {Heat | null} [heat]
 * @property {string} [note] What to know of the numbers; empty for nothing.
 */

/** The part of the time that charts show, and the moment that is pointed at. */
export class Timespan {
  constructor() {
    /** @type {[number, number] | null} Null for all of it. */
    this.range = null;
    /** @type {number | null} */
    this.moment = null;
    /** @type {Set<(what: "range" | "moment") => void>} */
    this.listeners = new Set();
  }

  /** @param {[number, number] | null} range */
  show(range) {
    this.range = range;
    this.tell("range");
  }

  /** @param {number | null} moment */
  point(moment) {
    if (moment === this.moment) return;
    this.moment = moment;
    this.tell("moment");
  }

  /** @param {"range" | "moment"} what */
  tell(what) {
    for (const listener of this.listeners) listener(what);
  }
}

export const HEIGHT = 190;
export const MARGIN = { top: 8, right: 12, bottom: 22, left: 54 };
const HEAT_LEVELS = 8;
const PIXELS_OF_POINT = 1.5;
const FOLDED_INTO = { highest: "of times and states the highest", mean: "of rates the mean", sum: "the sum", last: "the last" };

/** A chart over time. */
export class TimeChart {
  /**
   * @param {string} title
   * @param {Timespan} timespan
   * @param {number} [startedAt] Wall time of second 0, in seconds since the epoch.
   */
  constructor(title, timespan, startedAt) {
    this.title = title;
    this.timespan = timespan;
    this.startedAt = startedAt;
    /** @type {Content} */
    this.content = { seconds: [], width: 1, series: [], unit: "" };
    /** @type {Set<string>} */
    this.hidden = new Set();
    /** @type {Set<string>} Labels that were shown before: people may have chosen among them. */
    this.known = new Set();
    this.size = 0;
    this.legend = element("div", { class: "legend" });
    this.note = element("p", { class: "note" });
    this.drawing = drawn("svg", { height: HEIGHT, "aria-hidden": "true" });
    this.cursor = drawn("line", { class: "cursor" });
    this.selection = drawn("rect", { class: "selection" });
    this.plot = element("div", {
      class: "plot", tabindex: "0", role: "slider", "aria-label": `${title}, by second`,
      "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0", "aria-valuetext": "no data",
      onpointermove: (/** @type {PointerEvent} */ event) => this.onMove(event),
      onpointerdown: (/** @type {PointerEvent} */ event) => this.onDown(event),
      onpointerup: (/** @type {PointerEvent} */ event) => this.onUp(event),
      onpointercancel: () => this.endDrag(),
      onpointerleave: () => { if (this.dragFrom === null) timespan.point(null); },
      ondblclick: () => timespan.show(null),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      onblur: () => timespan.point(null),
    }, this.drawing);
    this.element = element("figure", { class: "chart" },
      element("figcaption", {}, title), this.legend, this.plot, this.note);
    /** @type {number | null} Where dragging began, in pixels. */
    this.dragFrom = null;
    this.x = linearScale([0, 1], [0, 1]);
    this.firstIndex = 0;
    this.lastIndex = 0;
    timespan.listeners.add((what) => (what === "range" ? this.draw() : this.drawMoment()));
    new ResizeObserver(() => { if (this.plot.clientWidth !== this.size) this.draw(); }).observe(this.plot);
  }

  /** @param {Content} content */
  show(content) {
    for (const series of content.series) {
      if (series.isHidden && !this.known.has(series.label)) this.hidden.add(series.label);
      this.known.add(series.label);
    }
    this.content = content;
    this.draw();
  }

  /** Draw everything anew. */
  draw() {
    const { content } = this;
    this.size = this.plot.clientWidth;
    this.element.hidden = !content.seconds.length;
    if (!this.size || !content.seconds.length) return;
    const shown = content.series.filter((series) => !this.hidden.has(series.label));
    const hasRight = content.series.some((series) => series.right);
    const right = this.size - (hasRight ? MARGIN.left : MARGIN.right);
    this.x = linearScale(this.bounds(), [MARGIN.left, right]);
    this.firstIndex = indexAt(content.seconds, this.x.domain[0]);
    this.lastIndex = indexAt(content.seconds, this.x.domain[1]);
    const fill = content.heat ? [this.heat(content.heat)] : this.lines(shown, right, hasRight);
    this.drawing.setAttribute("width", String(this.size));
    // Paper has another width than the screen for which it was drawn.
    this.drawing.setAttribute("viewBox", `0 0 ${this.size} ${HEIGHT}`);
    this.drawing.replaceChildren(...this.timeAxis(right), ...fill, this.selection, this.cursor);
    this.note.textContent = this.noteText();
    this.drawMoment();
  }

  /** @returns {[number, number]} The seconds at both ends of all of it. */
  extent() {
    const { seconds, width } = this.content;
    return [seconds[0], seconds[seconds.length - 1] + width];
  }

  /** @returns {[number, number]} The seconds at both ends of what is shown. */
  bounds() {
    return this.timespan.range ?? this.extent();
  }

  /** @param {number} count How many seconds. @returns {number} How many of them share a point. */
  foldSize(count) {
    return foldSize(count, (this.size - 2 * MARGIN.left) / PIXELS_OF_POINT);
  }

  /** @returns {string} */
  noteText() {
    const size = this.foldSize(this.lastIndex - this.firstIndex + 1) * this.content.width;
    const foldings = new Set(this.content.series.map((series) => FOLDED_INTO[series.folding ?? "highest"]));
    const points = size > 1 && foldings.size ? `A point is ${size} s: ${[...foldings].join(", ")}.` : "";
    return [this.content.note ?? "", points].filter(Boolean).join(" ");
  }

  /** @param {number} right @returns {SVGElement[]} */
  timeAxis(right) {
    const { place, domain } = this.x;
    const bottom = HEIGHT - MARGIN.bottom;
    const axis = drawn("line", { class: "axis", x1: MARGIN.left, x2: right, y1: bottom, y2: bottom });
    const labels = timeTicks(domain[0], domain[1], Math.max(2, Math.floor(this.size / 80))).map((time) =>
      drawn("text", { x: place(time), y: HEIGHT - 6, "text-anchor": "middle" }, formatClock(time)));
    return [axis, ...labels];
  }

  /**
   * @param {Series[]} shown
   * @param {number} right
   * @param {boolean} hasRight
   * @returns {SVGElement[]}
   */
  lines(shown, right, hasRight) {
    const folded = shown.map((series) => this.folded(series));
    const areBars = shown.map((series) => series.shape === "bars");
    const bases = stacked(folded.filter((_, index) => areBars[index]).map((points) => points.values));
    const limits = this.content.limits ?? [];
    const peak = (/** @type {boolean} */ isRight) => Math.max(isRight ? 0 : highest(bases[bases.length - 1]),
      ...shown.map((series, index) => (Boolean(series.right) === isRight ? highest(folded[index].values) : 0)));
    // A limit far above everything would press the lines flat: it is named at the top instead.
    const left = peak(false);
    const near = limits.map((limit) => limit.value).filter((value) => value <= left * 3 || !left);
    const tops = [axisTop(Math.max(left, ...near)), axisTop(peak(true))];
    const scales = tops.map((top) => linearScale([0, top], [HEIGHT - MARGIN.bottom, MARGIN.top]));
    const rightUnit = this.content.series.find((series) => series.right)?.unit ?? this.content.unit;
    const group = drawn("g", { class: "series" }, ...shown.map((series, index) => (areBars[index]
      ? this.bars(series, folded[index], bases[areBars.slice(0, index).filter(Boolean).length], scales[0])
      : this.shape(series, folded[index], scales[series.right ? 1 : 0]))));
    return [
      ...this.valueAxis(scales[0], this.content.unit, MARGIN.left, right, "left"),
      ...(hasRight && peak(true) ? this.valueAxis(scales[1], rightUnit, MARGIN.left, right, "right") : []),
      group,
      ...limits.flatMap((limit) => this.limit(limit, scales[0], right)),
    ];
  }

  /**
   * @param {import("./scales.js").Scale} scale
   * @param {Unit} unit
   * @param {number} left
   * @param {number} right
   * @param {"left" | "right"} side
   * @returns {SVGElement[]}
   */
  valueAxis(scale, unit, left, right, side) {
    return ticks(0, scale.domain[1], 5).flatMap((value) => {
      const y = scale.place(value);
      const label = drawn("text", {
        x: side === "left" ? left - 6 : right + 6, y: y + 4,
        "text-anchor": side === "left" ? "end" : "start",
      }, format(value, unit));
      return side === "left" ? [drawn("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }), label] : [label];
    });
  }

  /** @param {{value: number, label: string, crossed: boolean}} limit @param {import("./scales.js").Scale} scale @param {number} right */
  limit(limit, scale, right) {
    const isAbove = limit.value > scale.domain[1];
    const y = isAbove ? MARGIN.top + 2 : scale.place(limit.value);
    const mark = limit.crossed ? "limit crossed" : "limit";
    const label = drawn("text", { class: mark, x: right - 4, y: y < 24 ? y + 12 : y - 4, "text-anchor": "end" },
      isAbove ? `${limit.label} ↑` : limit.label);
    return isAbove ? [label] : [drawn("line", { class: mark, x1: MARGIN.left, x2: right, y1: y, y2: y }), label];
  }

  /**
   * Return the points of a series that are in view, few enough for the screen.
   * @param {Series} series
   */
  folded(series) {
    const seconds = series.seconds ?? this.content.seconds;
    // One beyond each end, so that lines leave the view instead of ending in it.
    const first = Math.max(0, indexAt(seconds, this.x.domain[0]));
    const last = Math.min(seconds.length, indexAt(seconds, this.x.domain[1]) + 2);
    const size = this.foldSize(last - first);
    // Folds begin at multiples of their size: the points stay where they are while time goes on.
    const start = first - (first % size);
    const values = fold(series.values.slice(start, last), size, series.folding ?? "highest");
    const width = seconds.length > 1 ? seconds[1] - seconds[0] : this.content.width;
    // A point stands in the middle of its time.
    const times = values.map((_, index) => {
      const at = start + index * size;
      return (seconds[at] + seconds[Math.min(at + size, seconds.length) - 1] + width) / 2;
    });
    return { values, times };
  }

  /**
   * @param {Series} series
   * @param {{values: Column, times: number[]}} points
   * @param {number[]} bases What each bar stands on.
   * @param {import("./scales.js").Scale} y
   */
  bars(series, { values, times }, bases, y) {
    const step = times.length > 1 ? times[1] - times[0] : this.content.width;
    const breadth = Math.max(1, (this.x.place(step) - this.x.place(0)) * 0.8);
    const paths = values.map((value, index) => (value
      ? rectangle(this.x.place(times[index]) - breadth / 2, y.place(bases[index] + value), breadth, y.place(bases[index])) : ""));
    return drawn("path", { class: `bars ${series.colour}`, d: paths.join("") });
  }

  /**
   * @param {Series} series
   * @param {{values: Column, times: number[]}} points
   * @param {import("./scales.js").Scale} y
   */
  shape(series, points, y) {
    const shape = series.shape ?? "line";
    const base = y.place(0);
    const attributes = { class: `${shape} ${series.colour}` };
    const places = points.values.map((value, index) => (value === null || value === undefined ? null :
      /** @type {[number, number]} */ ([this.x.place(points.times[index]), y.place(value)])));
    const line = drawn("path", { class: `${shape === "area" ? "line" : shape} ${series.colour}`, d: linePath(places, shape === "step", null) });
    if (shape !== "area") return line;
    return drawn("g", {}, drawn("path", { ...attributes, d: linePath(places, false, base) }), line);
  }

  /** @param {Heat} heat @returns {SVGElement} */
  heat(heat) {
    const { place } = this.x;
    const [low, high] = usedBuckets(heat.counts);
    const y = linearScale([low, high + 1], [HEIGHT - MARGIN.bottom, MARGIN.top]);
    const size = this.foldSize(this.lastIndex - this.firstIndex + 1);
    const columns = [];
    for (let start = this.firstIndex; start <= this.lastIndex; start += size) {
      columns.push({ start, counts: sumOfRows(heat.counts.slice(start, Math.min(start + size, this.lastIndex + 1))) });
    }
    const most = Math.max(1, ...columns.map((column) => highest(column.counts)));
    const cells = Array.from({ length: HEAT_LEVELS }, () => /** @type {string[]} */ ([]));
    const { seconds, width } = this.content;
    for (const { start, counts } of columns) {
      const left = place(Math.max(seconds[start], this.x.domain[0]));
      const end = place(Math.min(seconds[Math.min(start + size, seconds.length) - 1] + width, this.x.domain[1]));
      counts.forEach((count, bucket) => {
        if (!count) return;
        // The square root: a few slow requests are seen beside thousands of fast ones.
        const level = Math.min(HEAT_LEVELS - 1, Math.floor(Math.sqrt(count / most) * HEAT_LEVELS));
        cells[level].push(rectangle(left, y.place(bucket + 1), Math.max(1, end - left), y.place(bucket)));
      });
    }
    const labels = everyNth(heat.edges.slice(low, high + 2), 6).map(([edge, index]) =>
      drawn("text", { x: MARGIN.left - 6, y: y.place(low + index) + 4, "text-anchor": "end" }, format(edge, "ms")));
    return drawn("g", {}, ...labels, ...cells.map((paths, level) => drawn("path", { class: `heat heat${level}`, d: paths.join("") })));
  }

  /** Show the values of the moment that is pointed at, or what the colours mean. */
  drawMoment() {
    const { moment } = this.timespan;
    const { seconds } = this.content;
    const isInView = moment !== null && seconds.length > 0 && moment >= this.x.domain[0] && moment <= this.x.domain[1];
    const index = isInView ? indexAt(seconds, moment) : null;
    this.cursor.setAttribute("visibility", index === null ? "hidden" : "visible");
    if (index !== null) {
      const x = this.x.place(Math.min(seconds[index] + this.content.width / 2, this.x.domain[1]));
      for (const [name, value] of Object.entries({ x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom })) {
        this.cursor.setAttribute(name, String(value));
      }
    }
    this.drawLegend(index);
    this.plot.setAttribute("aria-valuemin", String(seconds[0] ?? 0));
    this.plot.setAttribute("aria-valuemax", String(seconds[seconds.length - 1] ?? 0));
    const spoken = index ?? seconds.length - 1;
    if (spoken < 0) return;
    this.plot.setAttribute("aria-valuenow", String(seconds[spoken]));
    const values = this.content.series.map((series) => `${series.label} ${this.valueText(series, seconds[spoken])}`);
    this.plot.setAttribute("aria-valuetext", [formatClock(seconds[spoken]), ...values].join(", "));
  }

  /** @param {Series} series @param {number} second @returns {string} */
  valueText(series, second) {
    const at = indexAt(series.seconds ?? this.content.seconds, second);
    return format(series.values[at], series.unit ?? this.content.unit);
  }

  /** @param {number | null} index */
  drawLegend(index) {
    const second = index === null ? null : this.content.seconds[index];
    const items = this.content.series.map((series) => {
      const value = second === null ? "" : this.valueText(series, second);
      const isHidden = this.hidden.has(series.label);
      const button = /** @type {HTMLButtonElement | undefined} */ ([...this.legend.children].find((child) =>
        child instanceof HTMLButtonElement && child.dataset.label === series.label));
      const made = button ?? element("button", { type: "button", "data-label": series.label, onclick: () => this.toggle(series.label) });
      made.setAttribute("aria-pressed", String(!isHidden));
      made.replaceChildren(element("i", { class: `swatch ${series.shape ?? "line"} ${series.colour}` }), series.label,
        element("b", {}, value));
      return made;
    });
    const time = element("span", { class: "moment" }, second === null ? "" : this.momentText(second));
    const heat = this.content.heat && index !== null ? [element("span", {}, heatText(this.content.heat, index))] : [];
    const nodes = [...items, ...heat, time];
    // Buttons stay in the document: one that is replaced loses the focus.
    if (this.legend.children.length === nodes.length && items.every((item, at) => this.legend.children[at] === item)) {
      nodes.slice(items.length).forEach((node, at) => this.legend.children[items.length + at].replaceWith(node));
    } else {
      this.legend.replaceChildren(...nodes);
    }
  }

  /** @param {number} second @returns {string} */
  momentText(second) {
    const wall = this.startedAt === undefined ? "" : ` · ${new Date((this.startedAt + second) * 1000).toLocaleTimeString()}`;
    return `at ${formatClock(second)}${wall}`;
  }

  /** @param {string} label */
  toggle(label) {
    if (!this.hidden.delete(label)) this.hidden.add(label);
    this.draw();
  }

  /** @param {PointerEvent} event @returns {number} */
  pixelOf(event) {
    return event.clientX - this.plot.getBoundingClientRect().left;
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const position = this.pixelOf(event);
    this.timespan.point(this.x.value(position));
    if (this.dragFrom === null) return;
    const [left, right] = [this.dragFrom, position].sort((one, other) => one - other);
    for (const [name, value] of Object.entries({ x: left, width: right - left, y: MARGIN.top, height: HEIGHT - MARGIN.top - MARGIN.bottom })) {
      this.selection.setAttribute(name, String(value));
    }
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    // A finger scrolls the page; it zooms with the keys of a keyboard or not at all.
    if (event.button !== 0 || event.pointerType === "touch") return;
    this.dragFrom = this.pixelOf(event);
    this.plot.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const from = this.dragFrom;
    this.endDrag();
    const to = this.pixelOf(event);
    if (from === null || Math.abs(to - from) < 6) return;
    this.zoom(this.x.value(Math.min(from, to)), this.x.value(Math.max(from, to)));
  }

  endDrag() {
    this.dragFrom = null;
    this.selection.setAttribute("width", "0");
  }

  /** @param {number} from @param {number} to */
  zoom(from, to) {
    const { width } = this.content;
    const [begin, end] = this.extent();
    const low = Math.max(begin, Math.min(from, end - 2 * width));
    const high = Math.min(end, Math.max(to, low + 2 * width));
    this.timespan.show(low <= begin && high >= end ? null : [low, high]);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { seconds } = this.content;
    if (!seconds.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const now = this.timespan.moment === null ? this.firstIndex : indexAt(seconds, this.timespan.moment);
    const stride = event.shiftKey ? 10 : 1;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: now - stride, ArrowRight: now + stride, ArrowDown: now - stride, ArrowUp: now + stride,
      PageDown: now - 10, PageUp: now + 10, Home: this.firstIndex, End: this.lastIndex,
    };
    if (event.key in targets) {
      this.timespan.point(seconds[Math.max(this.firstIndex, Math.min(this.lastIndex, targets[event.key]))]);
    } else if (event.key === "+" || event.key === "-") {
      const [low, high] = this.x.domain;
      const extent = (high - low) * (event.key === "+" ? 0.5 : 2);
      this.zoom(seconds[now] - extent / 2, seconds[now] + extent / 2);
    } else if (event.key === "Escape" || event.key === "0") {
      this.timespan.show(null);
    } else {
      return;
    }
    event.preventDefault();
  }
}

/** @param {Heat} heat @param {number} index @returns {string} */
function heatText(heat, index) {
  const counts = heat.counts[index] ?? [];
  const top = counts.indexOf(highest(counts));
  if (!total(counts)) return "no requests";
  return `${total(counts).toLocaleString("en-US")} requests, most from ${format(heat.edges[top], "ms")} to ${format(heat.edges[top + 1], "ms")}`;
}
