/** Scores of the past for a chart: in as many points as it has room for, each with the highest score of its time. */

import { get, part } from "./api.js";

/** @typedef {import("./trace.js").Trace} Trace */

/**
 * Fills a trace with what is stored.
 *
 * @param {Trace} trace
 * @param {string} stream
 * @param {{start?: number, end?: number, seconds?: number, points: number}} what A span (seconds since 1970), or the
 *   last seconds.
 */
export async function fillTrace(trace, stream, { start, end, seconds, points }) {
  const span = seconds ? `seconds=${seconds}` : `start=${start}&end=${end}`;
  const found = await get(`v1/streams/${part(stream)}/timeline?${span}&points=${points}`);
  trace.clear();
  for (let n = 0; n < found.time.length; n++) {
    trace.push(found.time[n], {
      raw: found.raw[n],
      score: found.score[n],
      smoothed: found.smoothed[n],
      state: found.anomalous[n] ? "anomalous" : "normal",
    });
  }
}
