/** The wall: all cameras at a glance. */

import { byName } from "./camera.js";
import { fill, h, say } from "./dom.js";
import { firstVisit } from "./firstvisit.js";
import { plural } from "./format.js";
import { Tile } from "./tile.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./camera.js").Camera} Camera */

const REDRAW = 500; // milliseconds: what changed meanwhile is drawn together, as every drawing costs
const APART = 60; // milliseconds between two pictures of all that is seen, at least: the service encodes each of them
const SLOWEST = 2000; // milliseconds between two pictures of a camera, however many are seen
/** @type {[string, string, (camera: Camera) => boolean][]} */
const FILTERS = [
  ["all", "All", () => true],
  ["alarm", "Anomalous", (camera) => camera.standing === "anomalous" || camera.standing === "tampering"],
  ["quiet", "Not live", (camera) => camera.health !== "live"],
];

/**
 * @param {App} app
 * @returns {View}
 */
export function wall(app) {
  const { live } = app;
  /** @type {Map<string, Tile>} */
  const tiles = new Map();
  /** @type {Map<Element, Tile>} */
  const byElement = new Map();
  const observer = new IntersectionObserver(
    (entries) => entries.forEach((entry) => byElement.get(entry.target)?.seen(entry.isIntersecting)),
    { rootMargin: "80px" },
  );
  let filter = "all";
  const list = h("ul", { class: "wall", "aria-label": "Cameras" });
  const summary = h("p", { class: "summary", role: "status" });
  const search = h("input", { type: "search", placeholder: "Find a camera", "aria-label": "Find a camera" });
  const buttons = FILTERS.map(([id, label]) =>
    h("button", { type: "button", class: "pill", "aria-pressed": String(id === filter), onclick: () => choose(id) }, label),
  );
  const add = app.may("admin") && h("a", { class: "button", href: "#/cameras/new" }, "Add a camera");
  const tools = h("div", { class: "tools" }, h("div", { class: "pills" }, buttons), search, add);
  const empty = h("div");
  const nothing = h("p", { class: "empty", hidden: true }, "No camera is so at present.");
  const element = h(
    "div",
    null,
    h("header", { class: "head" }, h("div", null, h("h1", { tabIndex: -1 }, "Cameras"), summary), tools),
    empty,
    nothing,
    list,
  );
  search.addEventListener("input", update);

  /** @param {string} id */
  function choose(id) {
    filter = id;
    buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(FILTERS[n][0] === id)));
    update();
  }

  function arrange() {
    for (const [id, tile] of tiles) {
      if (live.cameras.get(id) !== tile.camera) {
        byElement.delete(tile.element);
        tile.close();
        tiles.delete(id);
      }
    }
    const cameras = [...live.cameras.values()].sort(byName);
    cameras.forEach((camera, place) => {
      let tile = tiles.get(camera.id);
      if (!tile) {
        tile = new Tile(camera, observer);
        tiles.set(camera.id, tile);
        byElement.set(tile.element, tile);
      }
      if (list.children[place] !== tile.element) list.insertBefore(tile.element, list.children[place] ?? null);
    });
    const first = live.loaded && !cameras.length;
    tools.hidden = summary.hidden = first;
    if (first) {
      if (!empty.firstChild) fill(empty, firstVisit(app));
    } else fill(empty);
    update();
  }

  function update() {
    const cameras = [...live.cameras.values()];
    const wanted = FILTERS.find(([id]) => id === filter)?.[2] ?? (() => true);
    const text = search.value.trim().toLowerCase();
    const seen = [...tiles.values()].filter((tile) => tile.visible).length;
    let shown = 0;
    for (const tile of tiles.values()) {
      const { camera } = tile;
      const matches = wanted(camera) && `${camera.view.name} ${camera.id}`.toLowerCase().includes(text);
      if (tile.element.hidden === matches) tile.element.hidden = !matches;
      if (matches) shown += 1;
      tile.picture.interval = Math.min(Math.max(REDRAW, APART * seen), SLOWEST);
      tile.update(live.connected);
    }
    nothing.hidden = shown > 0 || !cameras.length;
    say(summary, live.loaded ? summarised(cameras, live.connected) : "Asking the service …");
  }

  live.addEventListener("list", arrange);
  live.addEventListener("link", update);
  const timer = setInterval(() => document.hidden || update(), REDRAW);
  arrange();
  return {
    title: "Cameras",
    element,
    close() {
      live.removeEventListener("list", arrange);
      live.removeEventListener("link", update);
      clearInterval(timer);
      observer.disconnect();
      for (const tile of tiles.values()) tile.close();
    },
  };
}

/**
 * @param {Camera[]} cameras
 * @param {boolean} connected
 */
function summarised(cameras, connected) {
  const all = plural(cameras.length, "camera");
  if (!connected) return `${all}; how they are is not known at present`;
  const alarmed = cameras.filter((camera) => camera.standing === "anomalous").length;
  const tampered = cameras.filter((camera) => camera.standing === "tampering").length;
  const quiet = cameras.filter((camera) => camera.health !== "live").length;
  const unscored = cameras.filter((camera) => camera.health === "live" && !camera.fresh).length;
  const said = [
    alarmed && `${alarmed} anomalous`,
    tampered && `${tampered} tampered with`,
    quiet && `${quiet} not live`,
    unscored && `${unscored} without scores`,
  ].filter(Boolean);
  return `${all}, ${said.length ? said.join(", ") : "nothing unusual"}`;
}
