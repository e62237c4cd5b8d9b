/** The last minute of a camera as one small line: smoothed score, and the threshold it is compared with. */

import { Surface } from "./canvas.js";
import { h } from "./dom.js";
import { colour } from "./theme.js";

const SPAN = 60; // seconds
const THRESHOLD = 0.5;

export class Sparkline {
  /** @param {import("./camera.js").Camera} camera */
  constructor(camera) {
    this.camera = camera;
    this.element = h("canvas", { class: "sparkline", "aria-hidden": "true" });
    this.surface = new Surface(this.element, (context, width, height) => this.draw(context, width, height));
  }

  dirty() {
    this.surface.dirty();
  }

  close() {
    this.surface.close();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} width
   * @param {number} height
   */
  draw(context, width, height) {
    const { trace } = this.camera;
    const y = (/** @type {number} */ value) => (height - 3) * (1 - Math.min(value, 1)) + 1.5;
    context.strokeStyle = colour("threshold");
    context.globalAlpha = 0.6;
    context.setLineDash([3, 3]);
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, y(THRESHOLD));
    context.lineTo(width, y(THRESHOLD));
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
    if (!trace.length) return;
    const end = trace.time[trace.length - 1];
    const x = (/** @type {number} */ time) => width * (1 - (end - time) / SPAN);
    context.lineWidth = 1.6;
    context.lineJoin = "round";
    for (const alarmed of [0, 1]) {
      context.strokeStyle = colour(alarmed ? "alarm" : "line");
      context.beginPath();
      let drawing = false;
      for (let n = trace.find(end - SPAN); n < trace.length; n++) {
        const value = trace.smoothed[n];
        const here = !Number.isNaN(value) && (trace.anomalous[n] === alarmed || (alarmed && trace.anomalous[n - 1]));
        if (here && drawing) context.lineTo(x(trace.time[n]), y(value));
        else if (here) context.moveTo(x(trace.time[n]), y(value));
        drawing = Boolean(here);
      }
      context.stroke();
    }
  }
}
