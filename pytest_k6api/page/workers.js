/** The workers of a load test: what each of them does, and how it is doing. */

import { element } from "./elements.js";
import { Table } from "./table.js";

/**
 * @typedef {object} Worker
 * @property {string} id
 * @property {{place: string, state: string, vus: number, rate: number | null, cpu: number, memory: number, late: number,
 *   "clock-offset": number, "last-heard": number | null, lost: string, "lost-at": number | null, "kept-until": number | null,
 *   follows: number | null, "began-at": number | null, limits: string[]}} attributes
 */

const COLUMNS = /** @type {import("./table.js").Column[]} */ ([
  { key: "worker", label: "Worker", unit: "text" },
  { key: "place", label: "Place", unit: "text" },
  { key: "state", label: "State", unit: "text" },
  { key: "vus", label: "VUs", unit: "" },
  { key: "rate", label: "Rate", unit: "/s" },
  { key: "cpu", label: "CPU", unit: "%" },
  { key: "memory", label: "Memory", unit: "B" },
  { key: "late", label: "Loop late", unit: "ms" },
  { key: "offset", label: "Clock ahead", unit: "ms" },
  { key: "heard", label: "Last heard", unit: "ms" },
]);
const TROUBLED = new Set(["lost", "blocked"]);

/** @param {Worker["attributes"]} worker */
function lossOf(worker) {
  const { lost, "lost-at": at, "kept-until": until } = worker;
  if (!lost || at === null || until === null) return lost && `given up: ${lost}`;
  return `lost at ${at.toFixed(1)} s: ${lost}; what it measured until ${until.toFixed(1)} s counts`;
}

/** @param {Worker["attributes"]} worker */
function startOf({ follows, "began-at": at }) {
  return at === null ? "" : `goes on with the share of worker ${follows} since ${at.toFixed(1)} s`;
}

/** A section that is there as long as there are workers. */
export class Workers {
  constructor() {
    this.table = new Table("Workers", COLUMNS, { isMarked: (row, key) => key === "state" && TROUBLED.has(String(row.state)) });
    this.remarks = element("ul", { class: "warnings" });
    this.element = element("section", { class: "part workers", hidden: true }, element("h3", {}, "Workers"), this.table.element, this.remarks);
  }

  /** @param {Worker[]} workers */
  show(workers) {
    this.element.hidden = !workers.length;
    this.table.show(workers.map(({ id, attributes }) => ({
      worker: id, place: attributes.place, state: attributes.state, vus: attributes.vus, rate: attributes.rate,
      cpu: attributes.cpu, memory: attributes.memory, late: attributes.late * 1000, offset: attributes["clock-offset"] * 1000,
      heard: attributes["last-heard"] === null ? null : attributes["last-heard"] * 1000,
    })));
    const remarks = workers.flatMap(({ id, attributes }) =>
      [lossOf(attributes), startOf(attributes), ...attributes.limits].filter(Boolean).map((text) => `worker ${id}: ${text}`));
    this.remarks.hidden = !remarks.length;
    this.remarks.replaceChildren(...remarks.map((text) => element("li", {}, text)));
  }
}
