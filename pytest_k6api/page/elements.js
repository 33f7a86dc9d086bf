/**
 * Elements made of data. Text goes in as text: no function here takes markup, and what a page
 * would obey (control characters, marks that turn the direction of writing) is shown as an escape.
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
  const shown = /** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== false));
  made.append(...shown.map((child) => (typeof child === "string" ? printable(child) : child)));
  return made;
}

const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Surrogate}/gu;

/**
 * Return a text with everything that a page would obey as an escape; line feeds and tabs stay.
 * @param {string} text
 * @returns {string}
 */
export function printable(text) {
  return text.replace(OBEYED, (mark) => {
    const code = mark.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}
