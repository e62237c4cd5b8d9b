/** One event: what happened (the clip), where in the picture it was odd, how the score rose, and what it was. */

import { address, get, part, patch, Problem } from "./api.js";
import { Chart } from "./chart.js";
import { fill, h, say, shape } from "./dom.js";
import { kindWord, lasted } from "./eventrow.js";
import { clock, day, duration, number } from "./format.js";
import { drawHeat } from "./heat.js";
import { fillTrace } from "./history.js";
import { attempt } from "./notices.js";
import { Trace } from "./trace.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Event} FoundEvent */

const AROUND = 20; // seconds of scores before and after
const AT_THRESHOLD = 192; // level of the threshold in the files of heat maps
const AGAIN = 3000; // milliseconds before another try where the service did not answer
const MISSED = 20_000; // milliseconds between two looks at what goes on, should a message not have come
const ENDS = /** @type {Record<string, string>} */ ({
  gap: "Ended by a gap in the frames",
  "stream ended": "Ended with the stream",
  "mute ended": "Split where the mute ended",
  restart: "Ended by a restart of the service",
});

/**
 * @param {App} app
 * @param {string} id
 * @returns {View}
 */
export function event(app, id) {
  const { live } = app;
  const trace = new Trace(8192);
  const chart = new Chart(trace, {
    label: "Score around the event. Arrow keys read it.",
    time: (seconds) => clock(seconds * 1000),
  });
  const body = h("div");
  const player = h("div", { class: "media" });
  const peak = h("div", { class: "media" });
  const labels = h("div", { class: "row" });
  const advice = h("p", { class: "hint", hidden: true });
  const facts = h("dl", { class: "pairs" });
  const forgotten = h("p", { class: "hint", hidden: true }, "No scores are kept of that time.");
  let timer = 0;
  let closed = false;
  const ending = new AbortController();
  /** What is shown, so that a player is not made anew while it plays. */
  let shownClip = "";
  let shownPeak = "";

  async function load() {
    clearTimeout(timer);
    /** @type {FoundEvent} */
    let found;
    try {
      found = await get(`v1/events/${id}`);
    } catch (error) {
      if (closed) return;
      const gone = error instanceof Problem && error.status === 404;
      if (gone || !body.contains(player)) fill(body, h("h1", { tabIndex: -1 }, gone ? "No such event" : "Event"), h("p", { class: "empty" }, /** @type {Error} */ (error).message));
      if (!gone && !closed) timer = setTimeout(load, AGAIN);
      return;
    }
    if (closed) return;
    show(found);
    if (!found.ended || found.clip_state === "waiting") timer = setTimeout(load, MISSED);
  }

  /** @param {FoundEvent} found */
  async function show(found) {
    if (!body.firstChild || !body.contains(player)) layOut(found);
    clip(found);
    picture(found);
    labelled(found);
    const seconds = lasted(found);
    /** @type {[string, string][]} */
    const said = [
      ["Kind", kindWord(found)],
      ["Began", day(found.started)],
      ["Lasted", seconds === null ? "it goes on" : duration(seconds)],
      ["Highest score", `${number(found.peak)} at ${clock(found.peaked)}`],
      ["Frame of the peak", String(found.peak_frame)],
      ["Announced", found.muted ? "no: the camera was muted" : "yes"],
    ];
    if (ENDS[found.reason]) said.push(["End", ENDS[found.reason]]);
    fill(facts, said.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
    const start = Date.parse(found.started) / 1000 - AROUND;
    const end = (found.ended ? Date.parse(found.ended) : Date.parse(found.peaked)) / 1000 + AROUND;
    try {
      await fillTrace(trace, found.stream, { start, end, points: 2000 });
    } catch {
      return;
    }
    forgotten.hidden = trace.length > 0; // scores are deleted by size and age, events are not
    chart.window(start, end);
    chart.point(Date.parse(found.peaked) / 1000);
  }

  /** @param {FoundEvent} found */
  function layOut(found) {
    const name = () => live.cameras.get(found.stream)?.view.name ?? found.stream;
    const where = h("a", { href: `#/streams/${part(found.stream)}` }, name());
    live.addEventListener("list", () => say(where, name()), { signal: ending.signal });
    fill(
      body,
      h(
        "header",
        { class: "head" },
        h(
          "div",
          null,
          h("p", { class: "crumb" }, h("a", { href: "#/events" }, "Events")),
          h("h1", { tabIndex: -1 }, `${kindWord(found)}, ${day(found.started)}`),
          h("p", { class: "sub" }, where),
        ),
        h("div", { class: "tools" }, labels),
      ),
      h(
        "div",
        { class: "two even" },
        h("section", { class: "card", "aria-labelledby": "clip" }, h("h2", { id: "clip" }, "What happened"), player),
        h("section", { class: "card", "aria-labelledby": "peak" }, h("h2", { id: "peak" }, "Where it was odd, at the peak"), peak),
      ),
      h(
        "div",
        { class: "two" },
        h("section", { class: "card", "aria-labelledby": "around" }, h("h2", { id: "around" }, "Score around it"), chart.element, forgotten),
        h("section", { class: "card", "aria-labelledby": "facts" }, h("h2", { id: "facts" }, "Facts"), facts, advice),
      ),
    );
  }

  /** @param {FoundEvent} found */
  function clip(found) {
    const now = `${found.clip_state} ${found.clip}`;
    if (now === shownClip) return;
    shownClip = now;
    if (found.clip) {
      const video = h("video", { src: address(found.clip), controls: true, muted: true, loop: true, playsInline: true, preload: "metadata" });
      video.setAttribute("aria-label", "Clip of the event");
      fill(player, video, h("p", { class: "hint" }, h("a", { href: address(found.clip), download: `event-${id}.mp4` }, "Download the clip")));
      return;
    }
    const words = {
      waiting: "The clip is being written; it shows up here.",
      failed: `There is no clip: ${found.clip_reason || "it could not be written"}.`,
      none: `There is no clip${found.clip_reason ? `: ${found.clip_reason}` : " of this event"}.`,
    };
    fill(player, h("p", { class: "empty" }, words[/** @type {keyof typeof words} */ (found.clip_state)] ?? "This service keeps no clips."));
  }

  /** @param {FoundEvent} found */
  function picture(found) {
    const now = `${found.snapshot} ${found.heatmap} ${found.heat !== null}`;
    if (now === shownPeak) return;
    shownPeak = now;
    if (!found.snapshot && !found.heat) {
      fill(peak, h("p", { class: "empty" }, "There is no picture of the peak."));
      return;
    }
    const heat = h("canvas", { class: "picture heat", "aria-hidden": "true" });
    const frame = h("div", { class: "stage still" });
    if (found.snapshot) {
      const image = h("img", { class: "picture", alt: "Picture at the peak of the event", src: address(found.snapshot) });
      image.addEventListener("load", () => {
        shape(frame, image.naturalWidth, image.naturalHeight);
      });
      frame.append(image);
    }
    frame.append(heat);
    const slider = h("input", { type: "range", id: "over", min: "0", max: "100", step: "5", value: "70" });
    const fade = () => {
      heat.style.opacity = String(Number(slider.value) / 100);
    };
    slider.addEventListener("input", fade);
    fade();
    fill(peak, frame, h("div", { class: "row" }, h("label", { htmlFor: "over" }, "Heat map"), slider));
    if (found.heatmap) {
      const grey = h("img", { src: address(found.heatmap), alt: "" });
      grey.addEventListener("load", () => drawHeat(heat, grey, AT_THRESHOLD));
    } else if (found.heat) drawCells(heat, found.heat);
  }

  /** @param {FoundEvent} found */
  function labelled(found) {
    advice.hidden = found.label !== "false" || found.kind !== "anomaly";
    fill(
      advice,
      "Where it happens again and again: try another threshold, or leave its place out of the region, on ",
      h("a", { href: `#/streams/${part(found.stream)}` }, "the camera's page"),
      ". What the model should know as normal, it has to see: learn the camera anew while it happens.",
    );
    if (!app.may("admin")) {
      fill(labels, found.label && `Labelled: ${found.label} alarm`);
      return;
    }
    const buttons = /** @type {const} */ ([["true", "True alarm"], ["false", "False alarm"]]).map(([value, text]) =>
      h("button", { type: "button", "aria-pressed": String(found.label === value), onclick: () => label(found, found.label === value ? null : value) }, text),
    );
    fill(labels, h("span", { class: "hint" }, "What was it?"), buttons);
  }

  /**
   * @param {FoundEvent} found
   * @param {"true" | "false" | null} value
   */
  async function label(found, value) {
    const changed = await attempt(() => patch(`v1/events/${id}`, { label: value }));
    if (!changed) return;
    const had = document.activeElement?.textContent;
    labelled({ ...found, label: value });
    for (const button of labels.querySelectorAll("button")) if (button.textContent === had) button.focus();
  }

  const onEvent = (/** @type {Event} */ said) => {
    if (String(/** @type {CustomEvent} */ (said).detail.id) === id) load();
  };
  live.addEventListener("event", onEvent, { signal: ending.signal });
  live.addEventListener("back", load, { signal: ending.signal });
  load();
  return {
    title: `Event ${id}`,
    element: body,
    close() {
      closed = true;
      clearTimeout(timer);
      chart.close();
      ending.abort();
    },
  };
}

/**
 * Heat of an event whose picture is not kept: rows of cells, raw errors; the highest is the brightest.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number[][]} rows
 */
async function drawCells(canvas, rows) {
  const highest = Math.max(1e-9, ...rows.flat());
  const pixels = new ImageData(rows[0].length, rows.length);
  rows.flat().forEach((value, n) => pixels.data.set([value, value, value].map((one) => (220 * one) / highest).concat(255), n * 4));
  const grey = await createImageBitmap(pixels);
  drawHeat(canvas, grey);
  grey.close();
}
