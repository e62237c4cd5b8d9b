/**
 * The threshold of a stream: dragged on the chart or set here, and before it is applied the page says what it would
 * have flagged.
 */

import { get, part, patch, Problem } from "./api.js";
import { h, say } from "./dom.js";
import { duration, number, plural } from "./format.js";
import { attempt } from "./notices.js";

const PAUSE = 250; // milliseconds that a drag has to rest before the service is asked
const SPAN = 3600; // seconds that are looked back

export class Threshold {
  /**
   * @param {import("./camera.js").Camera} camera
   * @param {import("./chart.js").Chart} chart
   * @param {boolean} may Whether it can be changed.
   * @param {() => Promise<void>} onChange Something has changed: the list is to be asked again.
   */
  constructor(camera, chart, may, onChange) {
    this.camera = camera;
    this.chart = chart;
    this.onChange = onChange;
    /** @type {number | null} A raw error that is tried. */
    this.tried = null;
    this.asked = 0;
    this.timer = 0;
    this.slider = h("input", { type: "range", id: "threshold", min: "2", max: "98", step: "1", disabled: !may });
    this.field = h("input", {
      type: "number", step: "any", min: "0", class: "short", "aria-label": "Threshold as raw error", disabled: !may,
    });
    this.said = h("p", { class: "what-if", role: "status" });
    this.apply = h("button", { type: "button", class: "main", onclick: () => this.set(this.tried) }, "Apply");
    this.drop = h("button", { type: "button", onclick: () => this.leave() }, "Leave as it is");
    this.own = h("button", { type: "button", class: "plain", onclick: () => this.set(null) }, "Back to the model's own");
    this.element = h(
      "div",
      { class: "threshold-tools" },
      h("div", { class: "row" }, h("label", { htmlFor: "threshold" }, "Threshold"), this.slider, this.field, this.apply, this.drop, this.own),
      this.said,
    );
    this.slider.addEventListener("input", () => this.drag(Number(this.slider.value) / 100));
    this.field.addEventListener("change", () => {
      const value = Number(this.field.value);
      if (value > 0) this.attemptAt(value);
      else this.update();
    });
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.leave());
    this.update();
  }

  /** In force now: a raw error. */
  get present() {
    return this.camera.view.threshold ?? this.camera.latest?.threshold ?? 0;
  }

  /**
   * Somebody tries the threshold that is at a height of the chart.
   *
   * @param {number} y 0 to 1: a score, as it is now. It is 0.5 at the threshold that makes `raw` its equal.
   */
  drag(y) {
    this.attemptAt((this.present * y) / (1 - y));
  }

  /** @param {number} raw */
  attemptAt(raw) {
    if (!this.present) return;
    this.tried = raw;
    this.chart.tried = raw / (raw + this.present);
    this.chart.dirty();
    this.update();
    say(this.said, "…");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(raw), PAUSE);
  }

  /** @param {number} raw */
  async ask(raw) {
    const turn = ++this.asked;
    const path = `v1/streams/${part(this.camera.id)}/what-if?seconds=${SPAN}`;
    try {
      const [then, now] = await Promise.all([get(`${path}&threshold=${raw}`), get(`${path}&threshold=${this.present}`)]);
      if (turn !== this.asked || this.tried === null) return;
      this.chart.spans = then.spans.map((/** @type {{start: string, end: string | null}} */ span) => ({
        start: Date.parse(span.start) / 1000,
        end: span.end ? Date.parse(span.end) / 1000 : Infinity,
      }));
      this.chart.dirty();
      const scored = then.scores === undefined || then.scores > 0;
      say(
        this.said,
        scored
          ? `At ${number(raw)} it would have flagged ${plural(then.events, "event")} in the last hour; the present ${number(this.present)} flags ${now.events}. ${flagged(then)}`
          : "Nothing is stored of the last hour yet.",
      );
    } catch (error) {
      if (turn !== this.asked) return;
      const missing = error instanceof Problem && error.status === 404;
      say(this.said, missing ? "This service cannot say what it would have flagged." : /** @type {Error} */ (error).message);
    }
  }

  /** @param {number | null} raw null: the model's own. */
  async set(raw) {
    const done = await attempt(
      () => patch(`v1/streams/${part(this.camera.id)}`, { threshold: raw }),
      raw === null ? "The model's own threshold is in force." : `The threshold is ${number(raw)} from now on.`,
    );
    if (done) {
      await this.onChange();
      this.leave();
    }
  }

  leave() {
    this.tried = null;
    this.asked += 1;
    clearTimeout(this.timer);
    this.chart.tried = null;
    this.chart.spans = [];
    this.chart.dirty();
    say(this.said, "");
    this.update();
  }

  update() {
    const trying = this.tried !== null;
    const raw = this.tried ?? this.present;
    if (document.activeElement !== this.field) this.field.value = raw ? raw.toPrecision(3) : "";
    if (document.activeElement !== this.slider || !trying) {
      this.slider.value = String(Math.round(this.present ? (100 * raw) / (raw + this.present) : 50));
    }
    this.slider.setAttribute("aria-valuetext", `raw error ${number(raw)}`);
    this.apply.hidden = this.drop.hidden = !trying;
    this.own.hidden = trying || this.camera.view.options.threshold === null || this.slider.disabled;
  }

  close() {
    clearTimeout(this.timer);
  }
}

/** @param {{spans: {start: string, end: string | null}[]}} found */
function flagged(found) {
  const ended = found.spans.filter((span) => span.end);
  if (!ended.length) return "";
  const seconds = ended.map((span) => (Date.parse(/** @type {string} */ (span.end)) - Date.parse(span.start)) / 1000);
  return `The longest lasts ${duration(Math.max(...seconds))}.`;
}
