/** Which page is shown: it stands after the # of the address, so that the server needs to know nothing of it. */

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */

import { addCamera } from "./addcamera.js";
import { alerts } from "./alerts.js";
import { event } from "./event.js";
import { events } from "./events.js";
import { models } from "./models.js";
import { stream } from "./stream.js";
import { video } from "./video.js";
import { videos } from "./videos.js";
import { wall } from "./wall.js";

/** @type {[RegExp, string, (app: App, ...parts: string[]) => View][]} Address, place in the menu, page. */
const ROUTES = [
  [/^$/, "", wall],
  [/^cameras\/new$/, "", addCamera],
  [/^streams\/([^/]+)$/, "", stream],
  [/^events$/, "events", events],
  [/^events\/(\d+)$/, "events", event],
  [/^videos$/, "videos", videos],
  [/^videos\/([^/]+)$/, "videos", video],
  [/^models$/, "models", models],
  [/^alerts$/, "alerts", alerts],
];

/**
 * @param {string} path
 * @returns {{menu: string, make: (app: App) => View} | null}
 */
export function find(path) {
  const [bare] = path.split("?");
  for (const [pattern, menu, page] of ROUTES) {
    const found = pattern.exec(bare);
    const parts = found && decoded(found.slice(1));
    if (parts) return { menu, make: (app) => page(app, ...parts) };
  }
  return null;
}

/** @param {string[]} parts Of an address that anybody may have written. */
function decoded(parts) {
  try {
    return parts.map(decodeURIComponent);
  } catch {
    return null;
  }
}
