/** A camera on the wall: picture, state, score with its last minute, lag and drops, and why something is wrong. */

import { part } from "./api.js";
import { h, mark, say } from "./dom.js";
import { count, duration, number } from "./format.js";
import { PictureSocket, present } from "./picture.js";
import { Sparkline } from "./sparkline.js";
import { reasonOf, stateWord } from "./standing.js";

const WIDTH = 320;
const INTERVAL = 500; // milliseconds: two pictures a second, fewer on a wall of many; see `wall`

export class Tile {
  /**
   * @param {import("./camera.js").Camera} camera
   * @param {IntersectionObserver} observer Tells which tiles are seen; see `seen`.
   */
  constructor(camera, observer) {
    this.camera = camera;
    this.observer = observer;
    this.visible = false;
    this.drawn = -1;
    this.connected = false;
    this.canvas = h("canvas", { class: "picture", "aria-hidden": "true" });
    this.chip = h("span", { class: "chip state" });
    this.veil = h("span", { class: "veil" });
    this.flags = h("span", { class: "chip flag", hidden: true });
    this.name = h("a", { class: "name", href: `#/streams/${part(camera.id)}` }, camera.view.name);
    this.score = h("span", { class: "figure" });
    this.facts = h("p", { class: "facts" });
    this.reason = h("p", { class: "reason", hidden: true });
    this.sparkline = new Sparkline(camera);
    this.element = h(
      "li",
      { class: "tile" },
      h("div", { class: "stage" }, this.canvas, this.veil, h("div", { class: "chips" }, this.chip, this.flags)),
      h(
        "div",
        { class: "below" },
        h("div", { class: "line" }, h("h2", null, this.name), this.score),
        this.sparkline.element,
        this.facts,
        this.reason,
      ),
    );
    this.picture = new PictureSocket(camera.id, {
      width: WIDTH,
      interval: INTERVAL,
      show: (_facts, picture) => this.keep(picture),
    });
    /** @type {ImageBitmap | null} The newest picture, until it is shown. */
    this.next = null;
    observer.observe(this.element);
  }

  /**
   * Pictures of all tiles are shown at the same moment: the browser puts the page together anew for each change, and
   * that costs more than what has changed.
   *
   * @param {ImageBitmap | null} picture
   */
  keep(picture) {
    this.next?.close();
    this.next = picture;
  }

  /** @param {boolean} visible */
  seen(visible) {
    this.visible = visible;
    this.drawn = -1;
    this.picture.set(visible);
  }

  /**
   * Brings it up to date; cheap where nothing has changed.
   *
   * @param {boolean} connected
   */
  update(connected) {
    if (!this.visible) return;
    if (this.next) present(this.canvas, this.next);
    this.next = null;
    this.age(connected);
    const { camera } = this;
    if (camera.version === this.drawn && camera.fresh && connected === this.connected) return;
    if (camera.version !== this.drawn) this.sparkline.dirty();
    this.drawn = camera.version;
    this.connected = connected;
    const standing = connected ? camera.standing : "quiet";
    mark(this.element, "standing", standing);
    say(this.chip, stateWord(camera, connected));
    say(this.name, camera.view.name);
    const known = connected && camera.fresh;
    say(this.score, known ? number(camera.latest?.smoothed) : "–");
    const rate = camera.rate;
    say(
      this.facts,
      known
        ? `lag ${duration(camera.lag)} · ${count(camera.lost)} dropped${rate ? ` · ${rate.toFixed(0)}/s` : ""}`
        : `${count(camera.lost)} dropped`,
    );
    const reason = reasonOf(camera, connected);
    this.reason.hidden = !reason;
    say(this.reason, reason);
    const flags = camera.muted ? "Muted" : "";
    this.flags.hidden = !flags;
    say(this.flags, flags);
  }

  /** @param {boolean} connected */
  age(connected) {
    const { picture } = this;
    const live = connected && picture.fresh && this.camera.health === "live";
    mark(this.element, "picture", live ? "live" : picture.facts ? "old" : "none");
    say(this.veil, live ? "" : picture.warning || "Not live");
  }

  close() {
    this.observer.unobserve(this.element);
    this.picture.close();
    this.keep(null);
    this.sparkline.close();
    this.element.remove();
  }
}
