/** All cameras, kept up to date: the list by asking every few seconds, the scores by the socket. */

import { call, get } from "./api.js";
import { Camera } from "./camera.js";
import { ScoreSocket } from "./socket.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Stream} Stream */

const ASK = 4000; // milliseconds between two looks at the list
const SOON = 300;
const PATIENCE = 10_000; // milliseconds for the list: a service that takes longer is as good as gone

/**
 * Fires `list` (cameras came or went), `link` (the connection to the service changed), `event` (a `CustomEvent` with
 * the message of an event that opened or closed, or whose clip is there), `back` (the service was gone and is there
 * again: what else a page shows of it may be old).
 */
export class Live extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, Camera>} */
    this.cameras = new Map();
    this.loaded = false;
    this.answering = true;
    this.ended = false;
    this.begun = false;
    this.lost = false;
    this.timer = 0;
    this.due = Infinity;
    this.asking = 0;
    this.asked = Promise.resolve();
    this.seen = () => document.hidden || this.later(0);
    this.socket = new ScoreSocket(
      (messages) => this.take(messages),
      () => this.linked(),
    );
  }

  /** Whether what is shown is the present. */
  get connected() {
    return this.socket.connected && this.answering;
  }

  async start() {
    const version = await get("v1/version");
    await this.ask();
    if (this.ended) return;
    document.addEventListener("visibilitychange", this.seen);
    this.socket.start(`${version.epoch}:0`); // what the service still has of this run fills the first lines
  }

  stop() {
    this.ended = true;
    document.removeEventListener("visibilitychange", this.seen);
    clearTimeout(this.timer);
    this.socket.stop();
  }

  /**
   * Looks at the list, and again in a while. Who has just changed something waits for it, and sees the change: an answer
   * that was on its way already may be older.
   */
  ask() {
    clearTimeout(this.timer);
    this.due = Infinity;
    this.asking += 1;
    this.asked = this.asked.then(() => this.look()).finally(() => {
      this.asking -= 1;
      if (!this.asking) this.later(ASK);
    });
    return this.asked;
  }

  async look() {
    if (this.ended || document.hidden) return;
    try {
      const { streams } = await call("GET", "v1/streams", undefined, { patience: PATIENCE });
      if (this.ended) return;
      this.list(streams);
      this.answer(true);
      this.socket.retry();
    } catch {
      this.answer(false);
    }
  }

  /** @param {number} wait Milliseconds after which the list is looked at again, at the latest. */
  later(wait) {
    const due = performance.now() + wait;
    if (this.ended || this.asking || due >= this.due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => this.ask(), wait);
  }

  /** @param {Stream[]} streams */
  list(streams) {
    const ids = new Set(streams.map((stream) => stream.id));
    let changed = !this.loaded;
    this.loaded = true;
    for (const id of this.cameras.keys()) {
      if (!ids.has(id)) {
        this.cameras.delete(id);
        changed = true;
      }
    }
    for (const stream of streams) {
      const known = this.cameras.get(stream.id);
      if (known && known.view.created === stream.created) {
        changed ||= known.view.name !== stream.name;
        known.refresh(stream);
      } else {
        this.cameras.set(stream.id, new Camera(stream));
        changed = true;
      }
    }
    if (changed) this.dispatchEvent(new Event("list"));
  }

  /** @param {Message[]} messages */
  take(messages) {
    for (const message of messages) {
      if (message.stream === null) continue;
      const camera = this.cameras.get(message.stream);
      if (!camera) this.later(SOON);
      else if (message.type === "score") camera.score(/** @type {any} */ (message));
      else if (message.type === "health") camera.changed(message);
      else if (message.type.startsWith("event.")) {
        this.dispatchEvent(new CustomEvent("event", { detail: message }));
      }
    }
  }

  /** @param {boolean} answering */
  answer(answering) {
    if (this.answering === answering) return;
    this.answering = answering;
    this.linked();
  }

  linked() {
    this.dispatchEvent(new Event("link"));
    if (!this.socket.connected && this.answering) this.later(0); // why it closed: a login, or the service is gone
    if (this.connected) {
      if (this.lost) this.dispatchEvent(new Event("back"));
      this.lost = false;
    } else this.lost = this.begun;
    this.begun ||= this.connected;
  }
}
