/** Light or dark: as the system has it, or as somebody chose here. Also the colours of the theme for canvases. */

import { h } from "./dom.js";
import { keep, kept } from "./kept.js";

const KEPT = "theme";
const NAMES = /** @type {const} */ ({ system: "System", light: "Light", dark: "Dark" });
const ORDER = /** @type {(keyof typeof NAMES)[]} */ (["system", "light", "dark"]);

/** @type {Map<string, string>} */
const known = new Map();
/** @type {HTMLElement | null} */
let probe = null;
/** Fires `change` when canvases have to be drawn anew. */
export const theme = new EventTarget();

let choice = wanted(kept(KEPT));

/**
 * @param {string | null} name
 * @returns {keyof typeof NAMES}
 */
function wanted(name) {
  return name === "light" || name === "dark" ? name : "system";
}

function apply() {
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  known.clear();
  theme.dispatchEvent(new Event("change"));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
apply();

/** A button that goes from one to the next. */
export function themeSwitch() {
  const label = h("span", { class: "wide" });
  const button = h("button", { class: "plain", type: "button", onclick: next }, icon(), label);
  function next() {
    choice = ORDER[(ORDER.indexOf(choice) + 1) % ORDER.length];
    keep(KEPT, choice);
    apply();
    show();
  }
  function show() {
    label.textContent = NAMES[choice];
    button.setAttribute("aria-label", `Colours: ${NAMES[choice]}. Change`);
    button.title = `Colours: ${NAMES[choice]}`;
  }
  show();
  return button;
}

function icon() {
  return h("span", { class: "half", "aria-hidden": "true" });
}

/**
 * A colour of the style sheet, for a canvas.
 *
 * @param {string} name Of a custom property, without the dashes.
 * @returns {string}
 */
export function colour(name) {
  const found = known.get(name);
  if (found) return found;
  if (!probe) {
    probe = h("span", { hidden: true });
    probe.style.setProperty("forced-color-adjust", "none"); // lines of a chart have to be told apart
    document.body.append(probe);
  }
  probe.style.color = `var(--${name})`;
  const value = getComputedStyle(probe).color;
  known.set(name, value);
  return value;
}
