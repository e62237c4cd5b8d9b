/** Scores over time as a drawing: single scores faint, the smoothed one before them, the threshold, what is marked. */

import { Surface } from "./canvas.js";
import { h } from "./dom.js";
import { colour } from "./theme.js";
import { ticks } from "./ticks.js";

/** @typedef {import("./trace.js").Trace} Trace */
/** @typedef {{start: number, end: number}} Span Seconds. */

export const LEFT = 34; // pixels around what is drawn
export const BOTTOM = 22;
export const TOP = 8;
export const RIGHT = 8;
const GAP = 2; // seconds without a score that are not bridged by a line

export class Plot {
  /**
   * @param {Trace} trace
   * @param {object} how
   * @param {(seconds: number) => string} how.time Writes a time.
   * @param {boolean} how.held Whether the threshold has something to take hold of.
   */
  constructor(trace, { time, held }) {
    this.trace = trace;
    this.time = time;
    this.held = held;
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
    this.canvas = h("canvas", { class: "chart" });
    this.surface = new Surface(this.canvas, (context, width, height) => this.draw(context, width, height));
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
      const on = n < length && anomalous[n] === 1 && time[n] <= this.end;
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
    if (this.held && alpha === 1) {
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
