/** Videos: upload one, watch it being scored, find those of before. */

import { get, identify, part, remove } from "./api.js";
import { ask } from "./dialog.js";
import { h, say } from "./dom.js";
import { count, day, size } from "./format.js";
import { keepFile } from "./localfiles.js";
import { attempt } from "./notices.js";
import { Rows } from "./rows.js";
import { upload } from "./upload.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Job} Job */

const ASK = 1500; // milliseconds
const SELDOM = 6000; // the same while nothing goes on: somebody else may upload one
export const JOB_WORDS = { queued: "Waits", running: "Being scored", done: "Done", failed: "Failed", cancelled: "Cancelled" };
export const JOB_TONES = { queued: "", running: "", done: "good", failed: "bad", cancelled: "warn" };

/**
 * @param {App} app
 * @returns {View}
 */
export function videos(app) {
  const list = h("ul", { class: "jobs card flush", hidden: true });
  const none = h("p", { class: "empty", hidden: true }, "No video was scored yet.");
  let timer = 0;
  let closed = false;
  /** @type {Rows<Job>} */
  const rows = new Rows(list, {
    key: (job) => job.id,
    said: (job) => [job.state, job.error, job.files],
    make: (job) => row(app, job, look),
  });

  async function look() {
    clearTimeout(timer);
    let open = false;
    try {
      /** @type {Job[]} */
      const jobs = (await get("v1/jobs")).jobs;
      if (closed) return;
      list.hidden = !jobs.length;
      none.hidden = jobs.length > 0;
      rows.show(jobs);
      open = jobs.some((job) => job.state === "queued" || job.state === "running");
    } catch {
      // asked again below
    }
    clearTimeout(timer);
    if (!closed) timer = setTimeout(look, open ? ASK : SELDOM);
  }

  look();
  return {
    title: "Videos",
    element: h(
      "div",
      { class: "stack" },
      h("header", { class: "head" }, h("div", null, h("h1", { tabIndex: -1 }, "Videos"), h("p", { class: "summary" }, "Scored as they would be live; the service keeps the scores, not the video."))),
      app.may("ingest") && uploadForm(),
      none,
      list,
    ),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function uploadForm() {
  const input = h("input", { type: "file", id: "file", class: "sr", accept: "video/*,.mkv,.zip" });
  const bar = h("progress", { max: 1, hidden: true, "aria-label": "Progress of the upload" });
  const said = h("p", { class: "hint", role: "status" }, "MP4, MOV, MKV, WebM, AVI, MPEG, or a zip of videos or of folders of pictures.");
  const cancel = h("button", { type: "button", hidden: true }, "Cancel");
  const model = h("select", { id: "with" }, h("option", { value: "" }, "the active model"));
  const drop = h(
    "div",
    { class: "card drop" },
    h("div", { class: "row" }, h("label", { class: "button main", htmlFor: "file" }, "Choose a video"), input, h("span", { class: "hint" }, "or drop it here"), h("span", { class: "grow" }), h("label", { htmlFor: "with" }, "Score with"), model),
    bar,
    h("div", { class: "row" }, said, cancel),
  );
  get("v1/models")
    .then((found) => model.append(...found.models.filter((/** @type {any} */ one) => !one.error).map((/** @type {any} */ one) => h("option", { value: one.name }, one.name))))
    .catch(() => undefined);

  /** @param {File | undefined} file */
  async function send(file) {
    if (!file || !bar.hidden) return;
    bar.hidden = cancel.hidden = false;
    bar.value = 0;
    said.className = "hint";
    await identify(); // after another login in another tab the whole file would be refused
    const sending = upload(file, { model: model.value }, (share) => {
      bar.value = share;
      say(said, `Sending ${file.name}: ${Math.round(share * 100)} % of ${size(file.size)}`);
    });
    cancel.onclick = sending.cancel;
    try {
      const job = await sending.done;
      keepFile(job.id, file);
      location.hash = `#/videos/${job.id}`;
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      say(said, message.startsWith(file.name) ? message : `${file.name} (${size(file.size)}): ${message}`);
      said.className = "error";
    } finally {
      bar.hidden = cancel.hidden = true;
      input.value = "";
    }
  }

  input.addEventListener("change", () => send(input.files?.[0]));
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send(event.dataTransfer?.files[0]);
  });
  return drop;
}

/**
 * @param {App} app
 * @param {Job} job
 * @param {() => void} onChange
 */
function row(app, job, onChange) {
  const open = job.state === "queued" || job.state === "running";
  const what = open ? "Cancel" : "Remove";
  const end = async () => {
    if (!open && !(await ask("Remove the video?", `The scores of ${job.files.join(", ")} are deleted.`, "Remove"))) return;
    await attempt(() => remove(`v1/jobs/${part(job.id)}`));
    onChange();
  };
  const facts = h("p", { class: "hint" });
  const bar = h("progress", { max: 1, hidden: job.state !== "running", "aria-label": `Progress of ${job.files[0]}` });

  /** @param {Job} now */
  function renew(now) {
    say(facts, `${day(now.created)} · ${count(now.frames)} frames${now.error ? ` · ${now.error}` : ""}`);
    bar.value = now.progress;
  }
  renew(job);
  const element = h(
    "li",
    { class: "event" },
    h("div", { class: "event-text" }, h("a", { href: `#/videos/${part(job.id)}` }, job.files.join(", ")), facts, bar),
    h(
      "div",
      { class: "event-side" },
      h("span", { class: "chip", data: { tone: JOB_TONES[job.state] } }, JOB_WORDS[job.state]),
      app.may("ingest") && h("button", { type: "button", class: "plain", "aria-label": `${what} ${job.files[0]}`, onclick: end }, what),
    ),
  );
  return { element, renew };
}
