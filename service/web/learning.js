/** Learn this camera: record what is normal, train, see how good it is, and use it. */

import { get, part, post, Problem, remove } from "./api.js";
import { fill, h, say } from "./dom.js";
import { attempt } from "./notices.js";

/** @typedef {import("./types.js").Learning} Learning */

const ASK = 2000; // milliseconds
const SELDOM = 10_000; // the same while nothing goes on: somebody else may begin, or have the stream use another model
const NOTHING = "nothing";
const WORDS = {
  recording: "Records normal footage",
  training: "Trains",
  ready: "Ready",
  failed: "Failed",
  cancelled: "Cancelled",
};

/**
 * @param {import("./camera.js").Camera} camera
 * @param {() => Promise<void>} onChange
 */
export function learning(camera, onChange) {
  let timer = 0;
  let closed = false;
  let shown = "";
  const minutes = h("input", { type: "number", id: "minutes", class: "short", min: "0.1", max: "1440", step: "any", value: "30", required: true });
  const body = h("div", { class: "stack" });
  const element = h("section", { class: "card", "aria-labelledby": "learn" }, h("h2", { id: "learn" }, "Learn this camera"), body);
  const form = h(
    "form",
    { class: "stack", onsubmit: begin },
    h(
      "p",
      null,
      "Records what the camera sees and trains a model for it, while scoring goes on. Choose a time in which nothing " +
        "happens that should raise an alarm.",
    ),
    h("div", { class: "row" }, h("label", { htmlFor: "minutes" }, "Minutes"), minutes, h("button", { type: "submit" }, "Learn")),
  );
  const progress = h("progress", { max: 1, "aria-label": "Progress of learning" });
  const state = h("p", { role: "status" });

  /** @param {SubmitEvent} event */
  async function begin(event) {
    event.preventDefault();
    const made = await attempt(() => post(`v1/streams/${part(camera.id)}/learn`, { minutes: Number(minutes.value) }));
    if (made) show(made);
  }

  /** @param {Learning} one */
  function show(one) {
    clearTimeout(timer);
    const running = one.state === "recording" || one.state === "training";
    progress.value = one.progress;
    say(state, `${WORDS[one.state] ?? one.state}${one.detail ? `: ${one.detail}` : ""}`);
    const used = one.model !== null && camera.view.model === one.model;
    const now = `${one.id} ${one.state} ${used}`;
    if (now !== shown) layOut(one, running, used);
    shown = now;
    if (!closed) timer = setTimeout(look, running ? ASK : SELDOM);
  }

  /**
   * @param {Learning} one
   * @param {boolean} running
   * @param {boolean} used Whether the stream is scored by what was learned.
   */
  function layOut(one, running, used) {
    const path = `v1/learning/${part(one.id)}`;
    const cancel = h("button", { type: "button", onclick: () => attempt(async () => (await remove(path), look())) }, "Cancel");
    const use = h("button", { type: "button", class: "main", onclick: () => activate(path) }, "Use this model here");
    fill(
      body,
      state,
      running && progress,
      running && h("div", { class: "row" }, cancel),
      one.state === "ready" && one.report && reported(one.report),
      one.state === "ready" && (used ? h("p", null, `The stream uses ${one.model}.`) : h("div", { class: "row" }, use)),
      !running && form,
    );
  }

  /** @param {string} path */
  async function activate(path) {
    await attempt(async () => {
      await post(`${path}/activate`);
      await onChange();
      await look();
    }, "The stream uses the new model from now on.");
  }

  async function look() {
    clearTimeout(timer);
    try {
      /** @type {Learning[]} */
      const all = (await get("v1/learning")).learning;
      const mine = all.filter((one) => one.stream === camera.id);
      const newest = mine.find((one) => one.state === "recording" || one.state === "training") ?? mine[0];
      if (newest) {
        show(newest);
        return;
      }
      if (shown !== NOTHING) fill(body, form);
      shown = NOTHING;
      if (!closed) timer = setTimeout(look, SELDOM);
    } catch (error) {
      if (error instanceof Problem && error.status === 404) element.hidden = true;
      else if (!closed) timer = setTimeout(look, ASK * 2);
    }
  }

  look();
  return {
    element,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/**
 * How good it is, in the words of the training.
 *
 * @param {Record<string, any>} report
 */
function reported(report) {
  const notes = (report.notes ?? []).map((/** @type {string} */ note) => h("p", { class: "hint caution" }, note));
  return h("div", null, notes, h("pre", { class: "report", tabIndex: 0, "aria-label": "Report of the training" }, report.text ?? ""));
}
