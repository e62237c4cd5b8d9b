/** An event in a list: when, where, how strong, and what people said of it. */

import { address } from "./api.js";
import { h } from "./dom.js";
import { day, duration, number } from "./format.js";
import { tamperingWord } from "./standing.js";

/** @typedef {import("./types.js").Event} Event */

/** @param {Event} event */
export const lasted = (event) => (event.ended ? (Date.parse(event.ended) - Date.parse(event.started)) / 1000 : null);

/** @param {Event} event */
export function kindWord(event) {
  return event.kind === "tampering" ? `Tampering: ${tamperingWord(event.reason).toLowerCase()}` : "Anomaly";
}

/** @param {Event} event */
function labelChip(event) {
  if (event.label === null) return null;
  return h(
    "span",
    { class: "chip", data: { tone: event.label === "true" ? "bad" : "" } },
    event.label === "true" ? "True alarm" : "False alarm",
  );
}

/**
 * @param {Event} event
 * @param {string} where Name of the camera; "": it is clear.
 */
export function eventRow(event, where) {
  const seconds = lasted(event);
  const picture = event.snapshot
    ? h("img", { src: address(event.snapshot), alt: "", loading: "lazy", decoding: "async" })
    : h("span", { class: "no-picture", "aria-hidden": "true" });
  const length = seconds === null ? "going on" : duration(seconds);
  return h(
    "li",
    { class: "event" },
    picture,
    h(
      "div",
      { class: "event-text" },
      h("a", { href: `#/events/${event.id}` }, day(event.started)),
      h("p", { class: "hint" }, where && [h("bdi", null, where), " · "], `${kindWord(event)} · ${length.replaceAll(" ", "\u00a0")}`),
    ),
    h("div", { class: "event-side" }, !event.ended && h("span", { class: "chip", data: { tone: "bad" } }, "Open"), labelChip(event), event.muted && h("span", { class: "chip" }, "Muted"), h("span", { class: "figure" }, number(event.peak))),
  );
}
