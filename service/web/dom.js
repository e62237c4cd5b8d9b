/** Elements, made in one expression. */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Makes an element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any> | null} [props] `onclick` and the like become listeners, `class` and what has a dash
 *   attributes, `data` the dataset; the rest are properties where the element has them, else attributes.
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "class") element.className = value;
    else if (name in element && !name.includes("-") && name !== "list") /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  put(element, ...children);
  return element;
}

/**
 * Appends children; null, undefined and false are none.
 *
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function put(parent, ...children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Replaces what is in an element.
 *
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren();
  put(parent, ...children);
}

/**
 * Sets a text, and touches the document only if it is another one: pages write the same text many times a second.
 *
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Sets or removes a data attribute, if it is another one.
 *
 * @param {HTMLElement} element
 * @param {string} name
 * @param {string} value "": removes it.
 */
export function mark(element, name, value) {
  if ((element.dataset[name] ?? "") === value) return;
  if (value) element.dataset[name] = value;
  else delete element.dataset[name];
}

/**
 * Gives a frame the shape of the picture in it, so that what is laid over the picture lies where it belongs.
 *
 * @param {HTMLElement} frame
 * @param {number} width
 * @param {number} height
 */
export function shape(frame, width, height) {
  const ratio = String(width / height);
  if (frame.style.getPropertyValue("--ratio") !== ratio) frame.style.setProperty("--ratio", ratio);
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an SVG element.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function s(tag, attributes, ...children) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
