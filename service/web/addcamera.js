/** Add a camera: tell where it is, try it, and read exactly what fails. */

import { get, part, post, Problem } from "./api.js";
import { fill, h } from "./dom.js";
import { number } from "./format.js";
import { attempt } from "./notices.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */

/** @type {Record<string, string>} What to do, by the class of the failure, where its reason does not tell. */
const ADVICE = {
  timeout: "Is the camera on, and can the service's machine reach it?",
  auth: "Check the user name and the password in the address.",
  not_found: "The path after the port is unknown to the camera; its manual names the right one.",
};

/**
 * @param {App} app
 * @returns {View}
 */
export function addCamera(app) {
  const source = h("input", { id: "cam-source", type: "text", spellcheck: false, autocapitalize: "off", placeholder: "rtsp://user:password@10.0.0.5/live" });
  const name = h("input", { id: "cam-name", maxLength: 200, placeholder: "North gate" });
  const id = h("input", { id: "cam-id", maxLength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}", placeholder: "made if left empty" });
  const loop = h("input", { id: "cam-loop", type: "checkbox" });
  const standard = h("option", { value: "" }, "the active model");
  const model = h("select", { id: "cam-model" }, standard);
  const result = h("div", { class: "trial", role: "status" });
  const test = h("button", { type: "button", onclick: tried }, "Test the camera");
  const add = h("button", { type: "submit", class: "main" }, "Add the camera");
  source.addEventListener("input", () => fill(result)); // it was said of another address
  get("v1/models")
    .then((found) => offer(found.models))
    .catch(() => undefined);

  /** @param {import("./types.js").Model[]} models */
  function offer(models) {
    if (!models.some((one) => one.active)) standard.textContent = "none yet: learn this camera first";
    model.append(...models.filter((one) => !one.error).map((one) => h("option", { value: one.name }, one.name)));
  }

  async function tried() {
    if (!source.value.trim()) {
      fill(result, h("p", { class: "error" }, "Give the address of the camera first."));
      source.focus();
      return;
    }
    const address = source.value;
    test.disabled = true;
    fill(result, h("p", { class: "hint" }, "Opens the camera; that may take some seconds …"));
    try {
      const found = await post("v1/streams/test", { source: address.trim() });
      if (source.value !== address) fill(result);
      else if (found.ok) {
        const rate = found.frame_rate ? `, ${number(found.frame_rate, 1)} pictures a second` : "";
        fill(result, h("p", { class: "good" }, `It works: ${found.width} × ${found.height}${rate}.`));
      } else {
        const advice = ADVICE[found.error_class];
        fill(
          result,
          h("p", { class: "error" }, sentence(found.reason)),
          advice && h("p", { class: "hint" }, advice),
          h("p", { class: "hint" }, `Class of the failure: ${found.error_class}`),
        );
      }
    } catch (error) {
      const missing = error instanceof Problem && error.status === 404;
      fill(result, h("p", { class: "error" }, missing ? "This service cannot try cameras: add it, and its tile tells." : /** @type {Error} */ (error).message));
    } finally {
      test.disabled = false;
    }
  }

  /** @param {SubmitEvent} event */
  async function send(event) {
    event.preventDefault();
    add.disabled = true;
    const made = await attempt(() =>
      post("v1/streams", {
        id: id.value.trim() || null,
        name: name.value.trim() || null,
        source: source.value.trim() || null,
        loop: loop.checked,
        model: model.value || null,
      }),
    );
    add.disabled = false;
    if (!made) return;
    await app.live.ask();
    location.hash = `#/streams/${part(made.id)}`;
  }

  const field = (/** @type {string} */ of, /** @type {string} */ label, /** @type {HTMLElement} */ control, /** @type {string} */ hint = "") => {
    const about = hint && h("p", { class: "hint", id: `${of}-hint` }, hint);
    if (about) control.setAttribute("aria-describedby", about.id);
    return h("div", { class: "field" }, h("label", { htmlFor: of }, label), control, about);
  };
  const form = h(
    "form",
    { class: "card stack narrow", onsubmit: send },
    field("cam-source", "Address", source, "rtsp, http (MJPEG) or the name of a source that the service is set up with. Leave it empty for a client that sends frames."),
    h("div", { class: "row" }, test),
    result,
    field("cam-name", "Name", name),
    field("cam-id", "Id", id, "Letters, digits, dot, dash, underscore; it stands in addresses."),
    field("cam-model", "Model", model),
    h("div", { class: "row" }, loop, h("label", { htmlFor: "cam-loop" }, "A file: begin anew at its end")),
    h("div", { class: "row" }, add, h("a", { class: "button", href: "#/" }, "Cancel")),
  );
  return {
    title: "Add a camera",
    element: h(
      "div",
      null,
      h("header", { class: "head" }, h("div", null, h("p", { class: "crumb" }, h("a", { href: "#/" }, "Cameras")), h("h1", { tabIndex: -1 }, "Add a camera"))),
      form,
    ),
  };
}

/** @param {string} text */
function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!]$/.test(begun) ? begun : `${begun}.`;
}
