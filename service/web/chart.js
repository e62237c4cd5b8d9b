/**
 * Scores over time: raw scores faint, the smoothed one in front of them, the threshold, and what is marked. It can be
 * read and scrubbed by mouse, finger and keyboard.
 */

import { Surface } from "./canvas.js";
import { h, say } from "./dom.js";
import { number } from "./format.js";
import { colour } from "./theme.js";
import { ticks } from "./ticks.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {{start: number, end: number}} Span Seconds. */

const LEFT = 34;
const BOTTOM = 22;
const TOP = 8;
const RIGHT = 8;
const GAP = 2; // seconds without a score that are not bridged by a line
const NEAR = 10; // pixels from the threshold at which it is taken hold of

export class Chart {
  /**
   * @param {Trace} trace
   * @param {object} how
   * @param {string} how.label What it shows, for screen readers.
   * @param {(seconds: number) => string} how.time Writes a time.
   * @param {(seconds: number) => void} [how.onSeek] Somebody has chosen a place.
   * @param {(y: number) => void} [how.onThreshold] Somebody drags the threshold to another height.
   */
  constructor(trace, { label, time, onSeek, onThreshold }) {
    this.trace = trace;
    this.time = time;
    this.onSeek = onSeek;
    this.onThreshold = onThreshold;
    this.start = 0;
    this.end = 1;
    /** Height of the threshold, 0 to 1. */
    this.threshold = 0.5;
    /**
     * Height of another threshold that is being tried.
     *
     * @type {number | null}
     */
    this.tried = null;
    /**
     * What the tried threshold would have flagged.
     *
     * @type {Span[]}
     */
    this.spans = [];
    /**
     * Seconds, of what is played or pointed at.
     *
     * @type {number | null}
     */
    this.cursor = null;
    this.dragging = "";
    this.canvas = h("canvas", {
      class: "chart",
      tabIndex: 0,
      role: onSeek ? "slider" : "img",
      "aria-label": label,
    });
    this.readout = h("p", { class: "readout", "aria-live": "off" });
    this.element = h("div", { class: "chart-box" }, this.canvas, this.readout);
    this.surface = new Surface(this.canvas, (context, width, height) => this.draw(context, width, height));
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

  dirty() {
    this.surface.dirty();
  }

  close() {
    this.surface.close();
  }

  /** @param {number} seconds */
  x(seconds) {
    return LEFT + ((seconds - this.start) / (this.end - this.start)) * (this.surface.width - LEFT - RIGHT);
  }

  /** @param {number} value */
  y(value) {
    const room = this.surface.height - TOP - BOTTOM;
    return TOP + room * (1 - Math.min(Math.max(value, 0), 1));
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

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} width
   * @param {number} height
   */
  draw(context, width, height) {
    this.grid(context, width, height);
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, width - LEFT - RIGHT, height - BOTTOM + 1);
    context.clip();
    this.alarms(context, height);
    for (const span of this.spans) this.span(context, span, height);
    this.series(context, this.trace.score, colour("faint"), 1);
    this.series(context, this.trace.smoothed, colour("line"), 2);
    context.restore();
    this.level(context, width, this.threshold, "threshold", this.tried === null ? 1 : 0.45);
    if (this.tried !== null) this.level(context, width, this.tried, "alarm", 1);
    if (this.cursor !== null && this.cursor >= this.start && this.cursor <= this.end) {
      context.strokeStyle = colour("ink");
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(this.x(this.cursor), TOP);
      context.lineTo(this.x(this.cursor), height - BOTTOM);
      context.stroke();
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} width
   * @param {number} height
   */
  grid(context, width, height) {
    context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    context.fillStyle = colour("soft");
    context.strokeStyle = colour("edge");
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const value of [0, 0.5, 1]) {
      const y = Math.round(this.y(value)) + 0.5;
      context.beginPath();
      context.moveTo(LEFT, y);
      context.lineTo(width - RIGHT, y);
      context.stroke();
      context.fillText(value === 0.5 ? "0.5" : String(value), LEFT - 7, y);
    }
    context.textBaseline = "alphabetic";
    context.textAlign = "center";
    for (const time of ticks(this.start, this.end, (width - LEFT - RIGHT) / 95)) {
      context.fillText(this.time(time), Math.min(Math.max(this.x(time), LEFT + 24), width - RIGHT - 28), height - 5);
    }
  }

  /**
   * Where the state was anomalous.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {number} height
   */
  alarms(context, height) {
    const { time, anomalous, length } = this.trace;
    context.fillStyle = colour("alarm-ground");
    let began = -1;
    for (let n = this.first(); n <= length; n++) {
      const on = n < length && anomalous[n] === 1;
      if (on && began < 0) began = n;
      if (!on && began >= 0) {
        const left = this.x(time[began]);
        context.fillRect(left, TOP, Math.max(2, this.x(time[n - 1]) - left), height - BOTTOM - TOP);
        began = -1;
      }
      if (n < length && time[n] > this.end) break;
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Span} span
   * @param {number} height
   */
  span(context, span, height) {
    const left = this.x(span.start);
    context.fillStyle = colour("alarm");
    context.fillRect(left, height - BOTTOM - 5, Math.max(3, this.x(Math.min(span.end, this.end)) - left), 5);
  }

  first() {
    return Math.max(0, this.trace.find(this.start) - 1);
  }

  /**
   * A line; where there are more scores than pixels, each pixel gets its lowest and highest one, so that no peak is
   * lost.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {Float32Array} values
   * @param {string} stroke
   * @param {number} width
   */
  series(context, values, stroke, width) {
    const { time, length } = this.trace;
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.beginPath();
    let last = -Infinity;
    let column = NaN;
    let low = 0;
    let high = 0;
    const flush = () => {
      if (high > low) {
        context.lineTo(column, this.y(low));
        context.lineTo(column, this.y(high));
      }
    };
    for (let n = this.first(); n < length && time[n] <= this.end + GAP; n++) {
      const value = values[n];
      if (Number.isNaN(value)) continue;
      const x = Math.round(this.x(time[n]) * 2) / 2;
      if (time[n] - last > Math.max(GAP, (this.end - this.start) / 150)) {
        flush();
        context.moveTo(x, this.y(value));
        [column, low, high] = [x, value, value];
      } else if (x === column) [low, high] = [Math.min(low, value), Math.max(high, value)];
      else {
        flush();
        context.lineTo(x, this.y(value));
        [column, low, high] = [x, value, value];
      }
      last = time[n];
    }
    flush();
    context.stroke();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} width
   * @param {number} value
   * @param {string} name Of the colour.
   * @param {number} alpha
   */
  level(context, width, value, name, alpha) {
    const y = this.y(value);
    context.globalAlpha = alpha;
    context.strokeStyle = colour(name);
    context.lineWidth = 1.5;
    context.setLineDash([6, 4]);
    context.beginPath();
    context.moveTo(LEFT, y);
    context.lineTo(width - RIGHT, y);
    context.stroke();
    context.setLineDash([]);
    if (this.onThreshold && alpha === 1) {
      context.beginPath();
      context.lineWidth = 14;
      context.lineCap = "round";
      context.moveTo(width - RIGHT - 19, y);
      context.lineTo(width - RIGHT - 7, y);
      context.stroke();
      context.lineCap = "butt";
      context.lineWidth = 1.5;
      context.strokeStyle = colour("surface");
      context.beginPath();
      for (const shift of [-2, 2]) {
        context.moveTo(width - RIGHT - 18, y + shift);
        context.lineTo(width - RIGHT - 8, y + shift);
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}
