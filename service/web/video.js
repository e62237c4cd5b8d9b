/** One scored video: its progress, its timeline to scrub, the video beside it, and its tables. */

import { address, get, part, remove } from "./api.js";
import { Chart } from "./chart.js";
import { fill, h, mark, say } from "./dom.js";
import { count, place } from "./format.js";
import { fileOf, keepFile } from "./localfiles.js";
import { attempt } from "./notices.js";
import { Trace } from "./trace.js";
import { JOB_TONES, JOB_WORDS } from "./videos.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Job} Job */
/** @typedef {import("./types.js").Row} Row */

const ASK = 800; // milliseconds

/**
 * @param {App} app
 * @param {string} id
 * @returns {View}
 */
export function video(app, id) {
  const path = `v1/jobs/${part(id)}`;
  const element = h("div", { class: "stack" });
  const title = h("h1", { tabIndex: -1 }, "Video");
  const chip = h("span", { class: "chip" });
  const said = h("p", { class: "sub", role: "status" });
  const bar = h("progress", { max: 1, hidden: true, "aria-label": "Progress of scoring" });
  const tools = h("div", { class: "tools" });
  const body = h("div", { class: "stack" });
  let timer = 0;
  let closed = false;
  /** @type {(() => void) | null} */
  let end = null;
  fill(
    element,
    h("header", { class: "head" }, h("div", null, h("p", { class: "crumb" }, h("a", { href: "#/videos" }, "Videos")), h("div", { class: "row" }, title, chip), said), tools),
    bar,
    body,
  );

  async function look() {
    clearTimeout(timer);
    try {
      /** @type {Job} */
      const job = await get(path);
      if (closed) return;
      show(job);
      if (job.state !== "queued" && job.state !== "running") {
        if (job.state === "done") await result(job);
        return;
      }
    } catch (error) {
      say(said, /** @type {Error} */ (error).message);
      if (/** @type {any} */ (error).status === 404) return;
    }
    if (!closed) timer = setTimeout(look, ASK);
  }

  /** @param {Job} job */
  function show(job) {
    say(title, job.files.join(", "));
    say(chip, JOB_WORDS[job.state]);
    mark(chip, "tone", JOB_TONES[job.state]);
    const open = job.state === "queued" || job.state === "running";
    bar.hidden = !open;
    bar.value = job.progress;
    say(said, job.error || `${count(job.frames)} frames scored${open ? `, ${Math.round(job.progress * 100)} %` : ""}`);
    const cancel = open && app.may("ingest") && h("button", { type: "button", onclick: () => attempt(async () => (await remove(path), look())) }, "Cancel");
    const tables = job.state === "done" && [
      h("a", { class: "button", href: address(`${path}/scores.csv`), download: "scores.csv" }, "scores.csv"),
      h("a", { class: "button", href: address(`${path}/submission.csv`), download: "submission.csv", hidden: !job.files.length }, "submission.csv"),
    ];
    if (tools.dataset.of !== job.state) fill(tools, cancel, tables || null);
    tools.dataset.of = job.state;
  }

  /** @param {Job} job */
  async function result(job) {
    /** @type {Row[]} */
    const rows = (await get(`${path}/scores`)).scores;
    if (closed) return;
    /** @type {Map<string, Row[]>} */
    const clips = new Map();
    for (const row of rows) {
      const clip = clips.get(row.clip);
      if (clip) clip.push(row);
      else clips.set(row.clip, [row]);
    }
    const names = [...clips.keys()];
    const choice = h("select", { "aria-label": "Clip", hidden: names.length < 2 }, names.map((name) => h("option", { value: name }, name)));
    const shown = h("div", { class: "stack" });
    const open = () => {
      end?.();
      const page = clipPage(job, clips.get(choice.value) ?? [], names.length < 2);
      end = page.close;
      fill(shown, page.element);
    };
    choice.addEventListener("change", open);
    fill(body, choice, shown);
    if (rows.length) open();
    else fill(body, h("p", { class: "empty" }, "There are no frames in it."));
  }

  look();
  return {
    title: "Video",
    element,
    close() {
      closed = true;
      clearTimeout(timer);
      end?.();
    },
  };
}

/**
 * The timeline of a clip, and the video of it if it is at hand.
 *
 * @param {Job} job
 * @param {Row[]} rows
 * @param {boolean} only Whether it is the only clip, so that the file is its video.
 */
function clipPage(job, rows, only) {
  const trace = new Trace(Math.max(rows.length, 2));
  for (const row of rows) trace.push(row.time, row);
  const film = h("video", { controls: true, muted: true, playsInline: true, preload: "auto", "aria-label": "The video" });
  const chart = new Chart(trace, {
    label: "Timeline of scores. Arrow keys go from frame to frame.",
    time: place,
    onSeek: (seconds) => {
      if (film.src) film.currentTime = seconds;
    },
  });
  const screen = h("div", { class: "media" });
  const pick = h("input", { type: "file", id: "again", class: "sr", accept: "video/*" });
  const missing = h("p", { class: "empty" }, "The service keeps no videos. ", h("label", { class: "button", htmlFor: "again" }, "Open the file again"), pick, " to see it beside its timeline.");
  let url = "";
  let playing = 0;

  /** @param {File} file */
  function play(file) {
    url = URL.createObjectURL(file);
    film.src = url;
    fill(screen, film);
  }

  function follow() {
    if (!film.paused) chart.point(film.currentTime);
    playing = requestAnimationFrame(follow);
  }

  film.addEventListener("error", () => film.src && fill(screen, h("p", { class: "empty" }, "This browser cannot play this kind of video; its scores are below.")));
  pick.addEventListener("change", () => {
    const file = pick.files?.[0];
    if (file) {
      keepFile(job.id, file);
      play(file);
    }
  });
  film.addEventListener("play", () => {
    cancelAnimationFrame(playing);
    follow();
  });
  film.addEventListener("pause", () => cancelAnimationFrame(playing));
  const file = fileOf(job.id);
  if (only && file) play(file);
  else if (only) fill(screen, missing);
  const last = rows.at(-1)?.time ?? 1;
  chart.window(rows[0]?.time ?? 0, last);
  const spans = anomalous(rows);
  const list = h(
    "ul",
    { class: "events" },
    spans.map(({ start, end, peak }) =>
      h("li", { class: "event" }, h("button", { type: "button", class: "plain", onclick: () => chart.seek(start) }, `${place(start)} to ${place(end)}`), h("span", { class: "grow" }), h("span", { class: "figure" }, peak.toFixed(2))),
    ),
  );
  return {
    element: h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: "two even" },
        only && h("section", { class: "card", "aria-label": "Video" }, screen),
        h("section", { class: "card", "aria-labelledby": "odd" }, h("h2", { id: "odd" }, "Anomalous"), spans.length ? list : h("p", { class: "hint" }, "Nothing in it was anomalous.")),
      ),
      h("section", { class: "card", "aria-labelledby": "timeline" }, h("h2", { id: "timeline" }, "Timeline"), chart.element),
    ),
    close() {
      cancelAnimationFrame(playing);
      chart.close();
      if (url) URL.revokeObjectURL(url);
    },
  };
}

/** @param {Row[]} rows */
function anomalous(rows) {
  /** @type {{start: number, end: number, peak: number}[]} */
  const spans = [];
  let inside = false;
  for (const row of rows) {
    if (row.state !== "anomalous") {
      inside = false;
      continue;
    }
    const last = spans.at(-1);
    if (inside && last) {
      last.end = row.time;
      last.peak = Math.max(last.peak, row.smoothed ?? 0);
    } else spans.push({ start: row.time, end: row.time, peak: row.smoothed ?? 0 });
    inside = true;
  }
  return spans;
}
