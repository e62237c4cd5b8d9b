/** What a person sees who has no camera yet: one click to see it work, one to add a camera. */

import { post, Problem } from "./api.js";
import { h, say } from "./dom.js";

/** @param {import("./types.js").App} app */
export function firstVisit(app) {
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const start = h("button", { type: "button", class: "main", onclick: begin }, "Start the demo stream");

  async function begin() {
    start.disabled = true;
    error.hidden = true;
    try {
      await post("v1/streams/demo");
      await app.live.ask();
    } catch (problem) {
      const missing = problem instanceof Problem && problem.status === 404;
      say(error, missing ? "This service has no demo stream: add a camera instead." : String(/** @type {Error} */ (problem).message));
      error.hidden = false;
      start.disabled = false;
    }
  }

  return h(
    "section",
    { class: "card first" },
    h("h2", null, "No camera yet"),
    h(
      "p",
      null,
      "framewatch learns what a fixed camera usually sees, and says when something else happens. See it work on a ",
      "drawn street first, or add a camera of yours.",
    ),
    h(
      "div",
      { class: "row" },
      app.may("admin") && start,
      app.may("admin") && h("a", { class: "button", href: "#/cameras/new" }, "Add a camera"),
      h("a", { class: "button", href: "#/videos" }, "Score a video"),
    ),
    error,
  );
}
