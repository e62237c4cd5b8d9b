/** The settings of a stream. What is left empty follows the model or the service. */

import { get, part, patch, remove } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { attempt } from "./notices.js";

/** @typedef {import("./camera.js").Camera} Camera */

/** @type {[keyof import("./types.js").Options, string, string, string][]} */
const NUMBERS = [
  ["smoothing", "Smoothing, seconds", "any", "the model's own"],
  ["minimum", "Shortest event, seconds", "any", "the model's own"],
  ["cooldown", "Rest after an event, seconds", "any", "the service's own"],
  ["max_rate", "Frames a second at most", "any", "as they come"],
];

/**
 * @param {Camera} camera
 * @param {() => Promise<void>} onChange
 * @returns {HTMLElement}
 */
export function streamSettings(camera, onChange) {
  const { options } = camera.view;
  const name = h("input", { id: "set-name", required: true, maxLength: 200, value: camera.view.name });
  const model = h("select", { id: "set-model" }, h("option", { value: "" }, "the active model"));
  const policy = h(
    "select",
    { id: "set-policy" },
    h("option", { value: "latest" }, "Drop the oldest: always the present"),
    h("option", { value: "every" }, "Hold back: score every frame"),
  );
  policy.value = options.policy;
  const numbers = NUMBERS.map(([field, label, step, placeholder]) => {
    const input = h("input", { id: `set-${field}`, type: "number", min: "0", step, placeholder, value: String(options[field] ?? "") });
    return { field, label, input };
  });
  const form = h(
    "form",
    { class: "form", onsubmit: save },
    pair("set-name", "Name", name),
    pair("set-model", "Model", model),
    numbers.map(({ field, label, input }) => pair(`set-${field}`, label, input)),
    pair("set-policy", "When it cannot keep up", policy),
    h(
      "div",
      { class: "row wide-row" },
      h("button", { type: "submit", class: "main" }, "Save"),
      h("span", { class: "grow" }),
      h("button", { type: "button", class: "plain danger", onclick: drop }, "Delete the camera"),
    ),
  );
  attempt(async () => {
    /** @type {import("./types.js").Model[]} */
    const models = (await get("v1/models")).models;
    for (const one of models) if (!one.error) model.append(h("option", { value: one.name }, one.name));
    model.value = options.model ?? "";
  });

  /** @param {SubmitEvent} event */
  async function save(event) {
    event.preventDefault();
    /** @type {Record<string, unknown>} */
    const change = { name: name.value.trim(), policy: policy.value, model: model.value || null };
    for (const { field, input } of numbers) change[field] = input.value === "" ? null : Number(input.value);
    await attempt(async () => {
      await patch(`v1/streams/${part(camera.id)}`, change);
      await onChange();
    }, "Saved.");
  }

  async function drop() {
    const purge = h("input", { type: "checkbox", id: "purge" });
    const also = h("p", { class: "row" }, purge, h("label", { htmlFor: "purge" }, "Also its scores, events and clips"));
    if (!(await ask("Delete the camera?", `${camera.view.name} is not watched any more.`, "Delete", also))) return;
    await attempt(async () => {
      await remove(`v1/streams/${part(camera.id)}?purge=${purge.checked}`);
      location.hash = "#/";
      await onChange();
    }, `${camera.view.name} was deleted.`);
  }

  return h("section", { class: "card", "aria-labelledby": "settings" }, h("h2", { id: "settings" }, "Settings"), form);
}

/**
 * @param {string} id
 * @param {string} label
 * @param {HTMLElement} control
 */
function pair(id, label, control) {
  return h("div", { class: "field" }, h("label", { htmlFor: id }, label), control);
}
