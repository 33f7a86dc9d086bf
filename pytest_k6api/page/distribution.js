/** How often each latency occurred, as bars on a logarithmic scale. */

import { HEIGHT, MARGIN } from "./charts.js";
import { drawn, element } from "./elements.js";
import { axisTop, format, highest, linearScale, ticks, total } from "./scales.js";
import { bucketPlace, everyNth, rectangle, usedBuckets } from "./shapes.js";

/** Room above the bars for the names of percentiles. */
const HEAD = 16;

/** A percentile, as a line. @typedef {{label: string, value: number | null}} Mark */

/** How often each latency occurred, with percentiles as lines. */
export class Distribution {
  /** @param {string} title */
  constructor(title) {
    this.legend = element("div", { class: "legend" });
    this.drawing = drawn("svg", { height: HEIGHT, role: "img", "aria-label": title });
    this.plot = element("div", { class: "plot" }, this.drawing);
    this.note = element("p", { class: "note" });
    this.element = element("figure", { class: "chart" }, element("figcaption", {}, title), this.legend, this.plot, this.note);
    this.size = 0;
    /** @type {{edges: readonly number[], counts: readonly number[], marks: Mark[], note: string} | null} */
    this.content = null;
    new ResizeObserver(() => { if (this.plot.clientWidth !== this.size) this.draw(); }).observe(this.plot);
  }

  /**
   * @param {readonly number[]} edges Milliseconds; one more than there are counts.
   * @param {readonly number[]} counts
   * @param {Mark[]} marks
   * @param {string} [note]
   */
  show(edges, counts, marks, note = "") {
    this.content = { edges, counts, marks, note };
    this.draw();
  }

  draw() {
    this.size = this.plot.clientWidth;
    this.element.hidden = !this.content || !total(this.content.counts);
    if (!this.content || !this.size || this.element.hidden) return;
    const { edges, counts, marks, note } = this.content;
    const [low, high] = usedBuckets([counts]);
    const all = total(counts);
    const right = this.size - MARGIN.right;
    const bottom = HEIGHT - MARGIN.bottom;
    const x = linearScale([low, high + 1], [MARGIN.left, right]);
    const y = linearScale([0, axisTop(highest(counts) / all)], [bottom, MARGIN.top + HEAD]);
    const text = (/** @type {number} */ bucket) => `${format(edges[bucket], "ms")} to ${format(edges[bucket + 1], "ms")}: ${counts[bucket].toLocaleString("en-US")} requests (${format(counts[bucket] / all, "%")})`;
    const bars = counts.slice(low, high + 1).map((count, index) => drawn("path", {
      class: "bars c-blue", d: rectangle(x.place(low + index) + 0.5, Math.min(y.place(count / all), bottom - (count ? 1 : 0)), x.place(1) - x.place(0) - 1, bottom),
      onpointerenter: () => { this.legend.textContent = text(low + index); },
      onpointerleave: () => this.drawLegend(),
    }));
    const labels = everyNth(edges.slice(low, high + 2), Math.max(2, Math.floor(this.size / 80))).map(([edge, index]) =>
      drawn("text", { x: x.place(low + index), y: HEIGHT - 6, "text-anchor": "middle" }, format(edge, "ms")));
    const grid = ticks(0, y.domain[1], 5).flatMap((share) => [
      drawn("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y.place(share), y2: y.place(share) }),
      drawn("text", { x: MARGIN.left - 6, y: y.place(share) + 4, "text-anchor": "end" }, format(share, "%"))]);
    this.drawing.setAttribute("viewBox", `0 0 ${this.size} ${HEIGHT}`);
    this.drawing.setAttribute("width", String(this.size));
    this.drawing.replaceChildren(...grid, ...bars, ...labels, ...this.lines(marks, edges, x, bottom));
    this.note.textContent = note;
    this.drawLegend();
  }

  /**
   * Return the lines of percentiles, with their names above the bars where there is room.
   * @param {Mark[]} marks In ascending order.
   * @param {readonly number[]} edges
   * @param {import("./scales.js").Scale} x
   * @param {number} bottom
   */
  lines(marks, edges, x, bottom) {
    const [low, high] = x.domain;
    let free = -Infinity;
    return marks.flatMap(({ label, value }) => {
      if (value === null) return [];
      const at = x.place(Math.max(low, Math.min(high, bucketPlace(edges, value))));
      const hasRoom = at > free;
      if (hasRoom) free = at + 26;
      return [drawn("line", { class: "mark", x1: at, x2: at, y1: MARGIN.top + HEAD - 4, y2: bottom }),
        ...(hasRoom ? [drawn("text", { class: "mark", x: at, y: MARGIN.top + 8, "text-anchor": "middle" }, label)] : [])];
    });
  }

  drawLegend() {
    const known = (this.content?.marks ?? []).filter((mark) => mark.value !== null);
    this.legend.replaceChildren(...known.map((mark) => element("span", {}, `${mark.label} `, element("b", {}, format(mark.value, "ms")))));
    this.drawing.setAttribute("aria-label", `Distribution: ${known.map((mark) => `${mark.label} ${format(mark.value, "ms")}`).join(", ")}`);
  }
}
