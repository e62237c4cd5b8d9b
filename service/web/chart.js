/** A plot that can be read and scrubbed by mouse, finger and keyboard, and whose threshold can be dragged. */

import { h, say } from "./dom.js";
import { number } from "./format.js";
import { BOTTOM, LEFT, Plot, RIGHT, TOP } from "./plot.js";

/** @typedef {import("./trace.js").Trace} Trace */

const NEAR = 10; // pixels from the threshold at which it is taken hold of

export class Chart extends Plot {
  /**
   * @param {Trace} trace
   * @param {object} how
   * @param {string} how.label What it shows, for screen readers.
   * @param {(seconds: number) => string} how.time Writes a time.
   * @param {(seconds: number) => void} [how.onSeek] Somebody has chosen a place.
   * @param {(y: number) => void} [how.onThreshold] Somebody drags the threshold to another height.
   */
  constructor(trace, { label, time, onSeek, onThreshold }) {
    super(trace, { time, held: Boolean(onThreshold) });
    this.onSeek = onSeek;
    this.onThreshold = onThreshold;
    this.dragging = "";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", onSeek ? "slider" : "img");
    this.canvas.setAttribute("aria-label", label);
    this.readout = h("p", { class: "readout", "aria-live": "off" });
    this.element = h("div", { class: "chart-box" }, this.canvas, this.readout);
    this.listen();
  }

  /**
   * @param {number} start
   * @param {number} end Seconds.
   */
  window(start, end) {
    this.start = start;
    this.end = Math.max(end, start + 1e-3);
    this.surface.dirty();
    if (this.cursor === null) this.tell(this.trace.length - 1);
  }

  /** @param {number | null} seconds */
  point(seconds) {
    this.cursor = seconds;
    this.tell(seconds === null ? this.trace.length - 1 : this.trace.nearest(seconds));
    this.surface.dirty();
  }

  /** @param {number} n Place in the trace, whose numbers are written above. */
  tell(n) {
    const { trace } = this;
    if (n < 0 || n >= trace.length) {
      say(this.readout, "");
      return;
    }
    const text =
      `${this.time(trace.time[n])}   smoothed ${number(trace.smoothed[n])}   score ${number(trace.score[n])}` +
      `   raw ${number(trace.raw[n])}`;
    say(this.readout, text);
    if (this.onSeek) {
      this.canvas.setAttribute("aria-valuetext", text);
      this.canvas.setAttribute("aria-valuenow", trace.time[n].toFixed(2));
      this.canvas.setAttribute("aria-valuemin", this.start.toFixed(2));
      this.canvas.setAttribute("aria-valuemax", this.end.toFixed(2));
    }
  }

  listen() {
    const { canvas } = this;
    /** @param {PointerEvent} event */
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
      const height = 1 - (event.clientY - box.top - TOP) / (box.height - TOP - BOTTOM);
      const seconds = this.start + Math.min(Math.max(share, 0), 1) * (this.end - this.start);
      return { seconds, height, y: event.clientY - box.top };
    };
    const near = (/** @type {number} */ y) =>
      this.onThreshold && Math.abs(y - this.y(this.tried ?? this.threshold)) < NEAR;
    canvas.addEventListener("pointerdown", (event) => {
      const place = at(event);
      this.dragging = near(place.y) ? "threshold" : this.onSeek ? "seek" : "";
      if (!this.dragging) return;
      event.preventDefault();
      canvas.focus();
      canvas.setPointerCapture(event.pointerId);
      if (this.dragging === "seek") this.seek(place.seconds);
    });
    canvas.addEventListener("pointermove", (event) => {
      const place = at(event);
      if (this.dragging === "threshold") this.onThreshold?.(Math.min(Math.max(place.height, 0.02), 0.98));
      else if (this.dragging === "seek") this.seek(place.seconds);
      else {
        canvas.style.cursor = near(place.y) ? "ns-resize" : this.onSeek ? "pointer" : "crosshair";
        if (!this.onSeek) this.point(place.seconds);
      }
    });
    const drop = () => {
      this.dragging = "";
    };
    canvas.addEventListener("pointerup", drop);
    canvas.addEventListener("pointercancel", drop);
    canvas.addEventListener("pointerleave", () => this.onSeek || this.point(null));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { trace } = this;
    if (!trace.length) return;
    const now = this.cursor === null ? trace.length - 1 : trace.nearest(this.cursor);
    const far = Math.max(1, Math.round(trace.length / 20));
    /** @type {Record<string, number>} */
    const moves = {
      ArrowLeft: now - 1,
      ArrowRight: now + 1,
      PageDown: now - far,
      PageUp: now + far,
      Home: trace.find(this.start),
      End: trace.length - 1,
    };
    if (event.key === "Escape" && !this.onSeek) this.point(null);
    if (!(event.key in moves)) return;
    event.preventDefault();
    const place = Math.min(Math.max(moves[event.key], 0), trace.length - 1);
    if (this.onSeek) this.seek(trace.time[place]);
    else this.point(trace.time[place]);
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.point(seconds);
    this.onSeek?.(seconds);
  }
}
