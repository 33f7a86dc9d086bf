/**
 * A table that people sort by any column, filter by text, and choose the columns of.
 */

import { element } from "./elements.js";
import { format } from "./scales.js";

/** @typedef {Record<string, string | number | boolean | null>} Row */

/**
 * @typedef {object} Column
 * @property {string} key The member of the rows.
 * @property {string} label
 * @property {import("./scales.js").Unit | "text"} unit
 * @property {boolean} [isExtra] Whether it is hidden until it is chosen.
 */

/** A table with a head that sorts. */
export class Table {
  /**
   * @param {string} caption
   * @param {Column[]} columns
   * @param {{sortedBy?: string, onChoose?: (row: Row) => void, canChoose?: (row: Row) => boolean, isChosen?: (row: Row) => boolean, isMarked?: (row: Row, key: string) => boolean}} [options]
   */
  constructor(caption, columns, options = {}) {
    this.columns = columns;
    this.options = options;
    /** @type {Row[]} */
    this.rows = [];
    this.sortedBy = options.sortedBy ?? columns[0].key;
    this.isDescending = columns.find((column) => column.key === this.sortedBy)?.unit !== "text";
    /** @type {Set<string>} */
    this.hidden = new Set(columns.filter((column) => column.isExtra).map((column) => column.key));
    this.filter = element("input", {
      type: "search", placeholder: "filter", "aria-label": `Filter ${caption}`, oninput: () => this.draw(),
    });
    this.chooser = element("details", { class: "chooser" }, element("summary", {}, "Columns"),
      element("div", {}, ...columns.slice(1).map((column) => this.choice(column))));
    this.count = element("span", { class: "note", "aria-live": "polite" });
    this.head = element("tr");
    this.body = element("tbody");
    /** @type {Map<string, HTMLButtonElement>} */
    this.sorters = new Map(columns.map((column) => [column.key,
      element("button", { type: "button", onclick: () => this.sort(column.key) }, column.label)]));
    this.element = element("div", { class: "listing" },
      element("div", { class: "tools" }, this.filter, this.hidden.size ? this.chooser : null, this.count),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        element("table", {}, element("thead", {}, this.head), this.body)));
  }

  /** @param {Row[]} rows */
  show(rows) {
    this.rows = rows;
    // What is selected, to be copied, would be lost.
    const selected = getSelection();
    if (selected?.type !== "Range" || !this.body.contains(selected.anchorNode)) this.draw();
  }

  /** @param {Column} column */
  choice(column) {
    const box = element("input", {
      type: "checkbox", checked: !column.isExtra,
      onchange: () => {
        if (!this.hidden.delete(column.key)) this.hidden.add(column.key);
        this.draw();
      },
    });
    return element("label", {}, box, ` ${column.label}`);
  }

  /** @param {string} key */
  sort(key) {
    this.isDescending = key === this.sortedBy ? !this.isDescending : this.columns.find((column) => column.key === key)?.unit !== "text";
    this.sortedBy = key;
    this.draw();
  }

  draw() {
    const columns = this.columns.filter((column, index) => !this.hidden.has(column.key)
      // A column in which no row has anything is noise, such as the only scenario.
      && (index === 0 || this.rows.some((row) => (row[column.key] ?? "") !== "")));
    const heads = columns.map((column) => {
      const isSorted = column.key === this.sortedBy;
      const order = this.isDescending ? "descending" : "ascending";
      return element("th", { scope: "col", "aria-sort": isSorted ? order : null, class: column.unit === "text" ? "text" : null },
        /** @type {HTMLButtonElement} */ (this.sorters.get(column.key)));
    });
    // A head that is replaced would lose the focus of its button.
    const focused = document.activeElement;
    this.head.replaceChildren(...heads);
    if (focused instanceof HTMLElement && this.head.contains(focused)) focused.focus();
    const shown = sorted(filtered(this.rows, this.filter.value), this.sortedBy, this.isDescending);
    this.count.textContent = shown.length === this.rows.length ? "" : `${shown.length} of ${this.rows.length}`;
    this.filter.hidden = this.rows.length < 5;
    const focusedRow = this.body.contains(focused) ? focused?.closest("tr")?.dataset.key : undefined;
    this.body.replaceChildren(...shown.map((row) => element("tr", { "data-key": keyOf(row), class: this.options.isChosen?.(row) ? "chosen" : null },
      ...columns.map((column, index) => this.cell(row, column, index)))));
    if (focusedRow !== undefined) [...this.body.rows].find((row) => row.dataset.key === focusedRow)?.querySelector("button")?.focus({ preventScroll: true });
  }

  /** @param {Row} row @param {Column} column @param {number} index */
  cell(row, column, index) {
    const value = row[column.key];
    const text = column.unit === "text" ? String(value ?? "") : format(/** @type {number | null} */ (value), column.unit);
    const { onChoose, canChoose, isChosen, isMarked } = this.options;
    const content = index === 0 && onChoose && canChoose?.(row) !== false
      ? element("button", { type: "button", class: "link", "aria-pressed": isChosen ? String(isChosen(row)) : null, onclick: () => onChoose(row) }, text) : text;
    const classes = [column.unit === "text" ? "text" : "", isMarked?.(row, column.key) ? "bad" : "", row.is_sum ? "sum" : ""].filter(Boolean).join(" ");
    return index === 0 ? element("th", { scope: "row", class: classes || null }, content) : element("td", { class: classes || null }, content);
  }
}

/** @param {Row} row @returns {string} */
function keyOf(row) {
  return JSON.stringify(Object.values(row).filter((value) => typeof value === "string"));
}

/**
 * Return the rows with every word of `text` in one of their texts, upper and lower case alike.
 * @param {readonly Row[]} rows
 * @param {string} text
 * @returns {Row[]}
 */
export function filtered(rows, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    const texts = Object.values(row).filter((value) => typeof value === "string").join("\n").toLowerCase();
    return words.every((word) => texts.includes(word));
  });
}

/**
 * Return `rows` in order of `key`; rows without a value there come last.
 * @param {readonly Row[]} rows
 * @param {string} key
 * @param {boolean} isDescending
 * @returns {Row[]}
 */
export function sorted(rows, key, isDescending) {
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [left, right] = [one[key] ?? null, other[key] ?? null];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    if (typeof left === "string" || typeof right === "string") return sign * String(left).localeCompare(String(right), "en", { numeric: true });
    return sign * (Number(left) - Number(right));
  });
}
