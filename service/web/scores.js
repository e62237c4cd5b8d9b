/** The chart of a live stream: the last minutes or the last hour, and it goes on by itself. */

import { serverNow } from "./api.js";
import { Chart } from "./chart.js";
import { h } from "./dom.js";
import { clock } from "./format.js";
import { fillTrace } from "./history.js";
import { Trace } from "./trace.js";

const RANGES = /** @type {const} */ ([
  [120, "2 min"],
  [900, "15 min"],
  [3600, "1 hour"],
]);
const KEPT = 20_000;
const POINTS = 1200;
const ANEW = 60_000; // milliseconds after which a long chart is read again, as live scores make it ever denser

export class ScoreChart {
  /**
   * @param {import("./camera.js").Camera} camera
   * @param {(y: number) => void} [onThreshold]
   */
  constructor(camera, onThreshold) {
    this.camera = camera;
    this.seconds = 120;
    this.trace = new Trace(KEPT);
    this.read = 0;
    this.filling = 0;
    this.version = -1;
    this.chart = new Chart(this.trace, {
      label: "Scores over time. Arrow keys read them one by one.",
      time: (seconds) => clock(seconds * 1000),
      onThreshold,
    });
    this.buttons = RANGES.map(([seconds, label]) =>
      h("button", { type: "button", class: "pill", onclick: () => this.choose(seconds) }, label),
    );
    this.legend = h(
      "p",
      { class: "legend" },
      h("span", { class: "key line" }, "smoothed"),
      h("span", { class: "key faint" }, "score"),
      h("span", { class: "key threshold" }, "threshold"),
      h("span", { class: "key alarm" }, "anomalous"),
    );
    this.ranges = h("div", { class: "pills", role: "group", "aria-label": "How far back" }, this.buttons);
    this.element = this.chart.element;
    this.choose(this.seconds);
  }

  /** @param {number} seconds How far back it shows. */
  choose(seconds) {
    this.seconds = seconds;
    this.buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(RANGES[n][0] === seconds)));
    this.fill();
  }

  async fill() {
    const turn = ++this.filling;
    this.read = performance.now();
    const fresh = new Trace(KEPT);
    try {
      await fillTrace(fresh, this.camera.id, { seconds: this.seconds, points: POINTS });
    } catch {
      // what came over the socket is there anyway
    }
    if (turn !== this.filling) return;
    this.trace.clear();
    for (let n = 0; n < fresh.length; n++) copy(fresh, n, this.trace);
    this.version = -1;
    this.update();
  }

  /** Takes in what has come since. */
  update() {
    const { camera, trace, chart } = this;
    if (performance.now() - this.read > ANEW) this.fill();
    if (camera.version === this.version) return;
    this.version = camera.version;
    const last = trace.length ? trace.time[trace.length - 1] : -Infinity;
    for (let n = camera.trace.find(last + 1e-6); n < camera.trace.length; n++) copy(camera.trace, n, trace);
    const end = trace.length ? trace.time[trace.length - 1] : serverNow() / 1000;
    chart.window(end - this.seconds, end);
  }

  close() {
    this.filling = -1;
    this.chart.close();
  }
}

/**
 * @param {Trace} from
 * @param {number} n
 * @param {Trace} to
 */
function copy(from, n, to) {
  to.push(from.time[n], {
    raw: from.raw[n],
    score: from.score[n],
    smoothed: from.smoothed[n],
    state: from.anomalous[n] ? "anomalous" : "normal",
  });
}
