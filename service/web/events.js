/** All events, newest first; they come in as they open. */

import { address, get, part } from "./api.js";
import { fill, h, say } from "./dom.js";
import { eventRow } from "./eventrow.js";
import { attempt } from "./notices.js";
import { query } from "./place.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Event} FoundEvent */

const PAGE = 50;

/**
 * @param {App} app
 * @returns {View}
 */
export function events(app) {
  const { live } = app;
  let next = "";
  let turn = 0;
  const list = h("ul", { class: "events card flush" });
  const said = h("p", { class: "empty", hidden: true });
  const more = h("button", { type: "button", hidden: true, onclick: () => load(false) }, "Earlier ones");
  const stream = h("select", { "aria-label": "Camera", onchange: () => load(true) }, h("option", { value: "" }, "All cameras"));
  const label = h(
    "select",
    { "aria-label": "Label", onchange: () => load(true) },
    h("option", { value: "" }, "Any label"),
    h("option", { value: "none" }, "Not labelled"),
    h("option", { value: "true" }, "True alarms"),
    h("option", { value: "false" }, "False alarms"),
  );
  const csv = h("a", { class: "button", download: "events.csv", href: address("v1/events.csv") }, "Export as CSV");
  const wanted = query().get("stream") ?? "";

  const filters = () =>
    [stream.value && `stream=${part(stream.value)}`, label.value && `label=${label.value}`].filter(Boolean).join("&");

  function cameras() {
    const chosen = stream.value || wanted;
    const options = [...live.cameras.values()]
      .sort((a, b) => a.view.name.localeCompare(b.view.name))
      .map((camera) => h("option", { value: camera.id }, camera.view.name));
    if (chosen && !live.cameras.has(chosen)) options.push(h("option", { value: chosen }, chosen));
    fill(stream, h("option", { value: "" }, "All cameras"), options);
    stream.value = chosen;
  }

  /** @param {FoundEvent} event */
  const row = (event) => eventRow(event, live.cameras.get(event.stream)?.view.name ?? event.stream);

  /** @param {boolean} anew */
  async function load(anew) {
    const mine = ++turn;
    const chosen = filters();
    csv.href = address(`v1/events.csv${chosen ? `?${chosen}` : ""}`);
    const cursor = anew ? "" : `&cursor=${part(next)}`;
    const found = await attempt(() => get(`v1/events?limit=${PAGE}${cursor}${chosen && `&${chosen}`}`));
    if (!found || mine !== turn) return;
    const rows = found.events.map(row);
    if (anew) fill(list, rows);
    else list.append(...rows);
    next = found.next ?? "";
    more.hidden = !next;
    list.hidden = said.hidden = false;
    if (list.children.length) said.hidden = true;
    else list.hidden = true;
    say(said, chosen ? "No event is so." : "Nothing was flagged yet. Events come in here as they happen.");
  }

  const onList = () => {
    cameras();
    load(true);
  };
  const onEvent = () => next === "" || list.children.length <= PAGE ? load(true) : undefined;
  live.addEventListener("list", onList);
  live.addEventListener("event", onEvent);
  cameras();
  load(true);
  return {
    title: "Events",
    element: h(
      "div",
      null,
      h("header", { class: "head" }, h("h1", { tabIndex: -1 }, "Events"), h("div", { class: "tools" }, stream, label, csv)),
      said,
      list,
      h("p", { class: "more" }, more),
    ),
    close() {
      turn = -1;
      live.removeEventListener("list", onList);
      live.removeEventListener("event", onEvent);
    },
  };
}
