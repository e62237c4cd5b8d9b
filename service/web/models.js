/** The models: what each was trained on, how far its threshold can be trusted, and which one is active. */

import { get, part, post, remove } from "./api.js";
import { ask } from "./dialog.js";
import { h, say } from "./dom.js";
import { count, day, duration, number, size } from "./format.js";
import { attempt } from "./notices.js";
import { Rows } from "./rows.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Model} Model */

const AGAIN = 10_000; // milliseconds: cameras are learned meanwhile, and files come into the folder

/**
 * @param {App} app
 * @returns {View}
 */
export function models(app) {
  const list = h("ul", { class: "models" });
  let closed = false;
  let timer = 0;

  const none = h("p", { class: "empty", hidden: true });
  /** @type {Rows<Model>} */
  const rows = new Rows(list, {
    key: (one) => one.name,
    said: (one) => [one, users(app, one)],
    make: (one) => ({ element: card(app, one, load) }),
  });

  async function load() {
    clearTimeout(timer);
    try {
      const found = (await get("v1/models")).models;
      if (closed) return;
      rows.show(found);
      none.hidden = found.length > 0;
      say(none, "There is no model yet: put a checkpoint into the model folder of the service, or add a camera and let it be learned.");
    } catch (error) {
      none.hidden = list.children.length > 0;
      say(none, `${/** @type {Error} */ (error).message} Trying again …`);
    }
    clearTimeout(timer);
    if (!closed) timer = setTimeout(load, AGAIN);
  }

  app.live.addEventListener("list", load);
  load();
  return {
    title: "Models",
    element: h("div", null, h("header", { class: "head" }, h("div", null, h("h1", { tabIndex: -1 }, "Models"), h("p", { class: "summary" }, "The active one scores every camera that names no other."))), none, list),
    close() {
      closed = true;
      clearTimeout(timer);
      app.live.removeEventListener("list", load);
    },
  };
}

/**
 * @param {App} app
 * @param {Model} one
 * @returns {string[]} Names of the cameras that it scores.
 */
function users(app, one) {
  const used = [...app.live.cameras.values()].filter((camera) => camera.view.model === one.name);
  return used.map((camera) => camera.view.name);
}

/**
 * @param {App} app
 * @param {Model} one
 * @param {() => Promise<void>} onChange
 */
function card(app, one, onChange) {
  const used = users(app, one);
  const button = h("button", { type: "button", onclick: activate }, "Activate");

  async function activate() {
    button.disabled = true;
    button.textContent = "Warming up …";
    await attempt(() => post(`v1/models/${part(one.name)}/activate`), `${one.name} is active: every camera that names no other uses it.`);
    button.disabled = false;
    button.textContent = "Activate";
    await app.live.ask();
    await onChange();
  }

  async function drop() {
    if (!(await ask("Delete the model?", `${one.name} is removed from the model folder for good.`, "Delete"))) return;
    await attempt(() => remove(`v1/models/${part(one.name)}`), `${one.name} is deleted.`);
    await onChange();
  }

  return h(
    "li",
    { class: "card" },
    h(
      "div",
      { class: "line" },
      h("h2", null, one.name),
      one.active && h("span", { class: "chip", data: { tone: "good" } }, "Active"),
      !one.active &&
        app.may("admin") &&
        h(
          "div",
          { class: "row" },
          !one.error && button,
          !used.length && !one.given && h("button", { type: "button", class: "plain danger", "aria-label": `Delete ${one.name}`, onclick: drop }, "Delete"),
        ),
    ),
    one.error && h("p", { class: "error" }, one.error),
    one.calibration && trust(one.calibration),
    h("dl", { class: "pairs" }, facts(one, used).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))),
    selfTest(one),
  );
}

/** @param {Record<string, any>} calibration */
function trust(calibration) {
  const minutes = calibration.minutes;
  const enough = minutes >= 60;
  const text =
    `${number(calibration.alarms_per_hour, calibration.alarms_per_hour < 10 ? 1 : 0)} false alarms an hour aimed at; ` +
    `rests on ${duration(minutes * 60)} of held-out footage, which bounds it at ${number(calibration.upper_bound, 0)} an hour (95 %).`;
  return h("p", { class: enough ? "hint" : "hint caution" }, enough ? text : `Little footage. ${text}`);
}

/**
 * @param {Model} one
 * @param {string[]} used
 * @returns {[string, string][]}
 */
function facts(one, used) {
  const training = one.provenance?.training ?? {};
  const config = one.config;
  /** @type {[string, string | null | undefined | false][]} */
  const all = [
    ["Used by", used.length ? used.map((name) => `\u2068${name}\u2069`).join(", ") : "no camera at present"],
    ["Trained", one.provenance && day(one.provenance.created)],
    ["By", one.provenance?.command],
    ["Learned from", training.minutes && `${duration(training.minutes * 60)}, ${count(training.clips)} clips, ${count(training.frames)} frames`],
    ["Held out", training.held_out_clips?.length && `${training.held_out_clips.length} clips`],
    ["Held-out loss", training.held_out_loss && number(training.held_out_loss, 3)],
    ["Threshold", one.calibration && `${number(one.calibration.theta)} raw error${one.calibration.extrapolated ? ", extrapolated" : ""}`],
    ["Picture", config && `${config.geometry.input[1]} × ${config.geometry.input[0]}, ${number(1 / config.frame_interval, 1)} a second`],
    ["Window", config && `${config.window} frames, smoothed over ${duration(config.smoothing)}`],
    ["File", `${size(one.bytes)}${one.sha256 ? `, SHA-256 ${one.sha256.slice(0, 12)}…` : ""}`],
  ];
  return /** @type {[string, string][]} */ (all.filter(([, value]) => value));
}

/** @param {Model} one */
function selfTest(one) {
  /** @type {{kind: string, caught: number, episodes: number}[]} */
  const tests = one.provenance?.training?.self_test ?? [];
  if (!tests.length) return null;
  return h(
    "p",
    { class: "hint" },
    `Self-test on held-out clips: ${tests.map((test) => `${test.kind} ${test.caught} of ${test.episodes}`).join(", ")}.`,
  );
}
