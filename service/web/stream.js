/** One camera: live picture with heat map, scores with their threshold, what it found, and everything to set. */

import { get, part, patch } from "./api.js";
import { LEFT_OUT } from "./camera.js";
import { fill, h, mark, say } from "./dom.js";
import { eventRow } from "./eventrow.js";
import { count, duration, number } from "./format.js";
import { learning } from "./learning.js";
import { muting } from "./muting.js";
import { attempt } from "./notices.js";
import { Rows } from "./rows.js";
import { ScoreChart } from "./scores.js";
import { Stage } from "./stage.js";
import { healthWord, reasonOf, stateWord } from "./standing.js";
import { streamSettings } from "./streamsettings.js";
import { Threshold } from "./threshold.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./camera.js").Camera} Camera */

const REDRAW = 200; // milliseconds
const EVENTS = 5;
/** @type {Record<string, string>} */
const CAUSES = {
  thinned: "thinned to the model's rate",
  overload: "newer ones came first",
  bad: "could not be read",
  too_slow: "too slow for the model",
  rate: "over the rate that is set",
  fault: "the scorer failed",
};

/**
 * @param {App} app
 * @param {string} id
 * @returns {View}
 */
export function stream(app, id) {
  const element = h("div");
  /** @type {{update: () => void, close: () => void} | null} */
  let page = null;
  /** @type {Camera | undefined} */
  let shown;

  function look() {
    const camera = app.live.cameras.get(id);
    if (camera === shown && page) return;
    page?.close();
    page = null;
    shown = camera;
    if (camera) page = cameraPage(app, camera, element);
    else if (app.live.loaded) {
      fill(element, h("h1", { tabIndex: -1 }, "No such camera"), h("p", { class: "empty" }, `There is no camera ${id}. `, h("a", { href: "#/" }, "All cameras")));
    } else fill(element, h("p", { class: "empty" }, "Asking the service …"));
  }

  app.live.addEventListener("list", look);
  const timer = setInterval(() => document.hidden || page?.update(), REDRAW);
  look();
  return {
    get title() {
      return app.live.cameras.get(id)?.view.name ?? id;
    },
    element,
    close() {
      app.live.removeEventListener("list", look);
      clearInterval(timer);
      page?.close();
    },
  };
}

/**
 * @param {App} app
 * @param {Camera} camera
 * @param {HTMLElement} element
 */
function cameraPage(app, camera, element) {
  const { live } = app;
  const admin = app.may("admin");
  const again = () => live.ask();
  const title = h("h1", { tabIndex: -1 });
  const chip = h("span", { class: "chip" });
  const reason = h("p", { class: "reason open", role: "status" });
  const keepMask = (/** @type {[number, number][][]} */ mask) =>
    attempt(async () => {
      await patch(`v1/streams/${part(camera.id)}`, { mask });
      await again();
      return true;
    }, mask.length ? "Only the region is scored from now on." : "The whole picture is scored from now on.");
  const stage = new Stage(camera, admin ? keepMask : null);
  const scores = new ScoreChart(camera, admin ? (y) => threshold.drag(y) : undefined);
  /** @type {Threshold} */
  const threshold = new Threshold(camera, scores.chart, admin, again);
  const facts = new Facts();
  const mute = admin ? muting(camera, again) : null;
  const learn = admin ? learning(camera, again) : null;
  const settings = admin ? streamSettings(camera, again) : null;
  const events = h("ul", { class: "events" });
  const none = h("p", { class: "hint", hidden: true }, "Nothing was flagged yet.");
  /** @type {Rows<import("./types.js").Event>} */
  const rows = new Rows(events, { key: (event) => event.id, make: (event) => ({ element: eventRow(event, "") }) });
  const first = h("div", { class: "first-thing" });
  const aside = h("div", { class: "stack" }, mute?.element);
  fill(
    element,
    h(
      "header",
      { class: "head" },
      h("div", null, h("p", { class: "crumb" }, h("a", { href: "#/" }, "Cameras")), h("div", { class: "row" }, title, chip), reason),
    ),
    first,
    h(
      "div",
      { class: "two" },
      stage.element,
      h("section", { class: "card", "aria-labelledby": "now" }, h("h2", { id: "now" }, "Now"), facts.element),
    ),
    h(
      "section",
      { class: "card chart-card", "aria-labelledby": "scores" },
      h("div", { class: "line" }, h("h2", { id: "scores" }, "Scores"), scores.ranges),
      scores.element,
      scores.legend,
      threshold.element,
    ),
    h(
      "div",
      { class: "two even" },
      h(
        "section",
        { class: "card", "aria-labelledby": "found" },
        h("div", { class: "line" }, h("h2", { id: "found" }, "Latest events"), h("a", { href: `#/events?stream=${part(camera.id)}` }, "All")),
        none,
        events,
      ),
      aside,
    ),
    settings?.element,
  );

  async function list() {
    try {
      const found = await get(`v1/events?stream=${part(camera.id)}&limit=${EVENTS}`);
      rows.show(found.events);
      none.hidden = found.events.length > 0;
    } catch {
      // the next event asks again
    }
  }
  const onEvent = (/** @type {Event} */ event) => {
    if (/** @type {CustomEvent} */ (event).detail.stream === camera.id) list();
  };
  live.addEventListener("event", onEvent);
  live.addEventListener("back", list);
  list();

  /** A camera without a model is to be learned before anything else. */
  function placeLearning() {
    const place = camera.view.model === null ? first : aside;
    if (learn && learn.element.parentNode !== place) place.append(learn.element);
  }

  function update() {
    placeLearning();
    say(title, camera.view.name);
    say(chip, stateWord(camera, live.connected));
    const standing = live.connected ? camera.standing : "quiet";
    mark(chip, "tone", TONES[standing]);
    say(reason, reasonOf(camera, live.connected));
    stage.update(live.connected);
    scores.update();
    threshold.update();
    mute?.update();
    settings?.update();
    facts.update(camera, live.connected);
  }
  update();
  return {
    update,
    close() {
      live.removeEventListener("event", onEvent);
      live.removeEventListener("back", list);
      stage.close();
      scores.close();
      threshold.close();
      learn?.close();
    },
  };
}

const TONES = { tampering: "bad", anomalous: "bad", quiet: "warn", warming: "", normal: "good" };

/** What is known of a stream at the moment, as pairs. */
class Facts {
  constructor() {
    /** @type {Map<string, HTMLElement>} */
    this.values = new Map();
    this.element = h("dl", { class: "pairs" });
    for (const name of ["Smoothed", "Score", "Raw error", "Threshold", "Lag", "Scored", "Lost", "Left out", "Health", "Reconnects", "Model", "Source"]) {
      const value = h("dd");
      this.values.set(name, value);
      this.element.append(h("div", null, h("dt", null, name), value));
    }
  }

  /**
   * @param {Camera} camera
   * @param {boolean} connected
   */
  update(camera, connected) {
    const { view, latest } = camera;
    const now = connected && camera.fresh ? latest : null;
    const rate = camera.rate;
    const left = (view.dropped.thinned ?? 0) + (view.dropped.rate ?? 0);
    const causes = Object.entries(view.dropped)
      .filter(([cause, howMany]) => howMany && !LEFT_OUT.has(cause))
      .map(([cause, howMany]) => `${count(howMany)} ${CAUSES[cause] ?? cause}`);
    /** @type {[string, string][]} */
    const said = [
      ["Smoothed", number(now?.smoothed)],
      ["Score", number(now?.score)],
      ["Raw error", number(now?.raw)],
      ["Threshold", number(view.threshold)],
      ["Lag", now ? duration(camera.lag) : "–"],
      ["Scored", `${count(view.scored)} of ${count(view.frames)}${rate ? `, ${rate.toFixed(0)} a second` : ""}`],
      ["Lost", causes.join(", ") || "none"],
      ["Left out", left ? `${count(left)} on purpose` : "none"],
      ["Health", `${healthWord(camera.health)}${view.error_class ? ` (${view.error_class})` : ""}`],
      ["Reconnects", count(view.reconnects)],
      ["Model", view.model ?? "none"],
      ["Source", view.source ?? "frames are sent to it"],
    ];
    for (const [name, text] of said) say(/** @type {HTMLElement} */ (this.values.get(name)), text);
  }
}
