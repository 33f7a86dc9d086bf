/** Failures by kind, most frequent first, each with its exchange and traceback. */

import { element, printable } from "./elements.js";
import { format, formatDuration, formatNumber } from "./scales.js";
import { filtered } from "./table.js";

/** @typedef {import("./data.js").Failure} Failure */

/** How many are shown until more are asked for. */
const FIRST = 20;

/** A list that is filled again and again while people read in it. */
export class FailureList {
  constructor() {
    /** @type {Failure[]} */
    this.failures = [];
    this.most = FIRST;
    /** @type {Map<string, ReturnType<typeof entry>>} What was shown before: it stays open, and keeps the focus. */
    this.entries = new Map();
    this.filter = element("input", { type: "search", placeholder: "filter", "aria-label": "Filter Failures", oninput: () => this.draw() });
    this.count = element("span", { class: "note", "aria-live": "polite" });
    this.list = element("div");
    this.more = element("button", { type: "button", onclick: () => { this.most *= 5; this.draw(); } });
    this.element = element("div", { class: "failures" }, element("div", { class: "tools" }, this.filter, this.count), this.list, this.more);
  }

  /** @param {Failure[]} failures */
  show(failures) {
    const isFirst = !this.failures.length;
    this.failures = failures;
    this.draw();
    // A few are read at once; many are looked through first.
    if (isFirst && failures.length && failures.length < 4) this.list.querySelector("details")?.setAttribute("open", "");
  }

  draw() {
    const { failures } = this;
    const found = filtered(/** @type {any} */ (failures), this.filter.value);
    const shown = /** @type {Failure[]} */ (/** @type {unknown} */ (found.slice(0, this.most)));
    const entries = shown.map((failure) => {
      const key = [failure.kind, failure.scenario, failure.place, failure.message].join("\n");
      const known = this.entries.get(key) ?? entry();
      this.entries.set(key, known);
      known.show(failure);
      return known.element;
    });
    // Elements that stay where they are keep the focus, and what is selected in them.
    if (entries.length !== this.list.children.length || entries.some((each, index) => each !== this.list.children[index])) {
      this.list.replaceChildren(...entries);
    }
    this.filter.hidden = failures.length < 8;
    this.count.textContent = found.length === failures.length ? "" : `${formatNumber(found.length)} of ${formatNumber(failures.length)}`;
    this.more.hidden = found.length <= this.most;
    this.more.textContent = `Show more: ${formatNumber(found.length - this.most)} are left`;
  }
}

/** Return an element for one group of failures, and what fills it. */
function entry() {
  const count = element("b");
  const message = element("bdi");
  const when = element("p", { class: "note" });
  const details = element("pre", { tabindex: "0", role: "region", "aria-label": "Details" });
  return {
    element: element("details", {}, element("summary", {}, count, " ", message), when, details),
    /** @param {Failure} failure */
    show(failure) {
      const { kind, scenario, place, share } = failure;
      setText(count, `${formatNumber(failure.count)}×`);
      setText(message, failure.message);
      const of = ["request", "stream", "session", "call"].includes(kind) ? `${kind}s of that name` : "iterations";
      const where = [`${kind}${scenario ? ` in ${scenario}` : ""}`, place, share === null ? "" : `${format(share, "%")} of ${of}`];
      setText(when, `${where.filter(Boolean).join(", ")}; first after ${formatDuration(failure.first_at)}, last after ${formatDuration(failure.last_at)}`);
      setText(details, failure.details);
      details.hidden = !failure.details;
    },
  };
}

/** @param {HTMLElement} target @param {string} text */
function setText(target, text) {
  const shown = printable(text);
  if (target.textContent !== shown) target.textContent = shown;
}
