/** How a camera stands, in words: what the chips on tiles and pages say. */

import { duration } from "./format.js";

/** @typedef {import("./camera.js").Camera} Camera */

const HEALTH = {
  connecting: "Connecting",
  live: "Live",
  stalled: "Stalled",
  reconnecting: "Reconnecting",
  failed: "Failed",
  ended: "Ended",
};
const STATE = { warming: "Warming up", normal: "Normal", anomalous: "Anomalous" };
const TAMPERING = { covered: "Covered", frozen: "Frozen", flipped: "Upside down", moved: "Moved" };

/**
 * @param {Camera} camera
 * @param {boolean} connected Whether this page hears of it at all.
 * @returns {string}
 */
export function stateWord(camera, connected) {
  if (!connected) return "Unknown";
  if (camera.health !== "live") return HEALTH[camera.health] ?? camera.health;
  if (camera.standing === "tampering") return tamperingWord(camera.view.tampering);
  if (camera.view.model === null) return "No model";
  if (!camera.fresh) return "No scores";
  return STATE[camera.latest?.state ?? "warming"];
}

/** @param {string | undefined} reason */
export function tamperingWord(reason) {
  return TAMPERING[/** @type {keyof typeof TAMPERING} */ (reason)] ?? "Tampering";
}

/** @param {string} health */
export const healthWord = (health) => HEALTH[/** @type {keyof typeof HEALTH} */ (health)] ?? health;

/**
 * Why there is something to look at, or "".
 *
 * @param {Camera} camera
 * @param {boolean} connected
 */
export function reasonOf(camera, connected) {
  if (!connected) return "This page has lost the service; it tries again by itself.";
  if (camera.health !== "live") return camera.reason || defaultReason(camera);
  if (camera.view.tampering) return TAMPERED[camera.view.tampering] ?? `Tampering: ${camera.view.tampering}`;
  if (camera.view.model === null) return camera.view.reason;
  if (!camera.fresh && camera.reason) return camera.reason;
  if (!camera.fresh) return Number.isFinite(camera.age) ? `No score for ${duration(camera.age)}` : "No score yet";
  return camera.latest?.reason ?? "";
}

/** @type {Record<string, string>} */
const TAMPERED = {
  covered: "The picture is covered: scores mean nothing until it is not.",
  frozen: "The picture does not change: scores mean nothing meanwhile.",
  flipped: "The picture stands on its head: scores mean nothing meanwhile.",
  moved: "The camera looks elsewhere than when it was learned: scores mean nothing meanwhile.",
};

/** @param {Camera} camera */
function defaultReason(camera) {
  if (camera.health === "connecting") {
    return camera.view.source === null ? "Waits for a client to send frames" : "Opens the source";
  }
  return camera.health === "ended" ? "The source has ended" : "";
}
