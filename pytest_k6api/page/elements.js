/**
 * Elements made of data. Text goes in as text: no function here takes markup.
 */

/** @typedef {Node | string | null | false} Child */

/**
 * Return a new element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [attributes] `class`, `aria-…` and the like as text, true and
 *   false as present and absent; functions under `onclick` and the like listen.
 * @param {...Child} children Texts and elements; null and false are left out.
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  return furnished(made, attributes, children);
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * Return a new element of a drawing.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function drawn(tag, attributes = {}, ...children) {
  const made = /** @type {SVGElementTagNameMap[Tag]} */ (document.createElementNS(SVG, tag));
  return furnished(made, attributes, children);
}

/**
 * @template {Element} Made
 * @param {Made} made
 * @param {Record<string, unknown>} attributes
 * @param {Child[]} children
 * @returns {Made}
 */
function furnished(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== false)));
  return made;
}
