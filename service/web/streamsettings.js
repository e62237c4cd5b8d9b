/** The settings of a stream. What is left empty follows the model or the service. */

import { get, part, patch, remove } from "./api.js";
import { ask as sure } from "./dialog.js";
import { fill, h } from "./dom.js";
import { attempt, notify } from "./notices.js";

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
 * @returns {{element: HTMLElement, update: () => void}}
 */
export function streamSettings(camera, onChange) {
  const name = h("input", { id: "set-name", required: true, maxLength: 200 });
  const model = h("select", { id: "set-model" });
  const policy = h(
    "select",
    { id: "set-policy" },
    h("option", { value: "latest" }, "Drop the oldest: stay live"),
    h("option", { value: "every" }, "Hold back: score every frame"),
  );
  const numbers = NUMBERS.map(([field, label, step, placeholder]) => {
    const control = h("input", { id: `set-${field}`, type: "number", min: "0", step, placeholder });
    return { field, label, control, shown: "" };
  });
  /** @type {{field: string, control: HTMLInputElement | HTMLSelectElement, shown: string}[]} With what was set last. */
  const fields = [
    { field: "name", control: name, shown: "" },
    { field: "model", control: model, shown: "" },
    { field: "policy", control: policy, shown: policy.value },
    ...numbers,
  ];
  const form = h(
    "form",
    { class: "form", onsubmit: save },
    pair("set-name", "Name", name),
    pair("set-model", "Model", model),
    numbers.map(({ field, label, control }) => pair(`set-${field}`, label, control)),
    pair("set-policy", "When it cannot keep up", policy),
    h(
      "div",
      { class: "row wide-row" },
      h("button", { type: "submit", class: "main" }, "Save"),
      h("span", { class: "grow" }),
      h("button", { type: "button", class: "plain danger", onclick: drop }, "Delete the camera"),
    ),
  );
  /** @type {string[] | null} Models that can be used, null as long as they are not known. */
  let usable = null;
  /** @type {string | null} The model that was set when they were asked for; null: they were not yet. */
  let asked = null;

  /** Offers the models there are, and the one that is set, whatever is wrong with it. */
  function offer() {
    const set = camera.view.options.model;
    const names = usable ?? [];
    const missing = set !== null && !names.includes(set);
    const chosen = model.value;
    fill(
      model,
      h("option", { value: "" }, "the active model"),
      names.map((one) => h("option", { value: one }, one)),
      missing && h("option", { value: set }, usable ? `${set}: cannot be used` : set),
    );
    model.value = chosen;
  }

  async function ask() {
    try {
      const found = /** @type {import("./types.js").Model[]} */ ((await get("v1/models")).models);
      usable = found.filter((one) => !one.error).map((one) => one.name);
    } catch {
      return; // what is set can be seen all the same
    }
    offer();
  }

  /** @param {string} field */
  function present(field) {
    const { view } = camera;
    return field === "name" ? view.name : String(view.options[/** @type {keyof typeof view.options} */ (field)] ?? "");
  }

  /** Follows what is changed elsewhere, but for what is being changed here. */
  function update() {
    const { model: set } = camera.view.options;
    if (asked !== (set ?? "")) {
      asked = set ?? "";
      offer();
      ask();
    }
    for (const one of fields) {
      const now = present(one.field);
      if (now === one.shown) continue;
      if (one.control.value === one.shown) one.control.value = now;
      one.shown = now;
    }
  }

  /** @param {SubmitEvent} event */
  async function save(event) {
    event.preventDefault();
    /** @type {Record<string, unknown>} Only what was changed here: the rest may be changed elsewhere. */
    const change = {};
    for (const { field, control, shown } of fields) {
      const value = control.value.trim();
      if (value !== shown) change[field] = value === "" ? null : numbers.some((one) => one.field === field) ? Number(value) : value;
    }
    if (!Object.keys(change).length) {
      notify("Nothing was changed.");
      return;
    }
    await attempt(async () => {
      await patch(`v1/streams/${part(camera.id)}`, change);
      await onChange();
      update();
    }, "Saved.");
  }

  async function drop() {
    const purge = h("input", { type: "checkbox", id: "purge" });
    const also = h("p", { class: "row" }, purge, h("label", { htmlFor: "purge" }, "Also its scores, events and clips"));
    if (!(await sure("Delete the camera?", `${camera.view.name} is not watched any more.`, "Delete", also))) return;
    await attempt(async () => {
      await remove(`v1/streams/${part(camera.id)}?purge=${purge.checked}`);
      location.hash = "#/";
      await onChange();
    }, `${camera.view.name} was deleted.`);
  }

  update();
  return {
    element: h("section", { class: "card", "aria-labelledby": "settings" }, h("h2", { id: "settings" }, "Settings"), form),
    update,
  };
}

/**
 * @param {string} id
 * @param {string} label
 * @param {HTMLElement} control
 */
function pair(id, label, control) {
  return h("div", { class: "field" }, h("label", { htmlFor: id }, label), control);
}
