/** One stream as the page knows it: what the service said of it last, and when that was. */

import { serverNow } from "./api.js";
import { Trace } from "./trace.js";

/** @typedef {import("./types.js").Stream} Stream */
/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Score} Score */

const KEPT = 4096;
const QUIET = 5; // seconds without a score after which a number is not shown as the present one

const CERTAIN = 6500; // milliseconds by which the service's clock may seem to be off; see `serverNow`

/** Causes for which a frame is not scored and nothing is wrong. */
export const LEFT_OUT = new Set(["thinned", "rate", "unlearned"]);

export class Camera {
  /** @param {Stream} view */
  constructor(view) {
    this.id = view.id;
    this.view = view;
    this.health = view.health;
    this.reason = view.reason;
    /** @type {Score | null} */
    this.latest = null;
    this.trace = new Trace(KEPT);
    /** Milliseconds of `performance.now()` at which its newest score came here, or should have. */
    this.heard = -Infinity;
    /** Counts what has changed: who draws compares it. */
    this.version = 0;
    this.epoch = 0;
    this.seq = 0;
    this.refresh(view);
  }

  /** @param {Stream} view As listed by the service just now. */
  refresh(view) {
    this.view = view;
    this.health = view.health;
    this.reason = view.reason;
    if (!this.latest) this.latest = view.latest;
    this.version += 1;
  }

  /** @param {Score & {type: string}} score Out of the socket. */
  score(score) {
    if (score.epoch === this.epoch && score.seq <= this.seq) return;
    this.epoch = score.epoch;
    this.seq = score.seq;
    this.latest = score;
    this.heard = performance.now() - lateness(score.scored);
    this.trace.push(Date.parse(score.captured) / 1000, score);
    this.version += 1;
  }

  /** @param {Message} message */
  changed(message) {
    this.health = message.health;
    this.reason = message.reason;
    this.version += 1;
  }

  /** @returns {number} Seconds since the newest score came. */
  get age() {
    return (performance.now() - this.heard) / 1000;
  }

  /** Whether what is known of it is the present: it is live, and scores come. */
  get fresh() {
    return this.health === "live" && this.age < QUIET;
  }

  get muted() {
    const until = this.view.options.muted_until;
    return until !== null && Date.parse(until) > serverNow() ? until : null;
  }

  /** @returns {number | null} Seconds from a frame to its score, on the service's clock. */
  get lag() {
    return this.latest ? (Date.parse(this.latest.scored) - Date.parse(this.latest.captured)) / 1000 : null;
  }

  /** @returns {number | null} Scores a second, of the last five seconds. */
  get rate() {
    const { time, length } = this.trace;
    if (length < 2 || !this.fresh) return null;
    const first = this.trace.find(time[length - 1] - 5);
    const span = time[length - 1] - time[first];
    return span > 0 ? (length - 1 - first) / span : null;
  }

  /** @returns {number} Frames that were lost; those left out on purpose, or for want of a model, are none. */
  get lost() {
    return Object.entries(this.view.dropped)
      .filter(([cause]) => !LEFT_OUT.has(cause))
      .reduce((sum, [, count]) => sum + count, 0);
  }

  /** @returns {"tampering" | "anomalous" | "quiet" | "warming" | "normal"} What an operator has to know first. */
  get standing() {
    if (!this.fresh) return "quiet";
    if (this.view.tampering) return "tampering";
    return this.latest?.state ?? "warming";
  }
}

/**
 * Cameras in the order of their names; 2 comes before 10.
 *
 * @param {Camera} a
 * @param {Camera} b
 */
export const byName = (a, b) => a.view.name.localeCompare(b.view.name, undefined, { numeric: true });

/**
 * How long something was on its way: what the service still knew of before, and what a slow line has held up.
 *
 * @param {string} scored When it was scored, on the service's clock.
 * @returns {number} Milliseconds; 0 for as much as clocks may differ.
 */
function lateness(scored) {
  const late = serverNow() - Date.parse(scored);
  return late > CERTAIN ? late : 0;
}
