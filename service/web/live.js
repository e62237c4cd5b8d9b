/** All cameras, kept up to date: the list by asking every few seconds, the scores by the socket. */

import { get, Problem } from "./api.js";
import { Camera } from "./camera.js";
import { ScoreSocket } from "./socket.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Stream} Stream */

const ASK = 4000; // milliseconds between two looks at the list
const SOON = 300;

/**
 * Fires `list` (cameras came or went), `link` (the connection to the service changed), `event` (a `CustomEvent` with
 * the message of an event that opened or closed, or whose clip is there).
 */
export class Live extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, Camera>} */
    this.cameras = new Map();
    this.loaded = false;
    this.answering = true;
    this.timer = 0;
    this.asking = false;
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
    this.socket.start(`${version.epoch}:0`); // what the service still has of this run fills the first lines
  }

  stop() {
    clearTimeout(this.timer);
    this.socket.stop();
  }

  /** Looks at the list, and again in a while. */
  async ask() {
    clearTimeout(this.timer);
    if (!this.asking && !document.hidden) {
      this.asking = true;
      try {
        this.list((await get("v1/streams")).streams);
        this.answer(true);
        this.socket.retry();
      } catch (error) {
        if (error instanceof Problem && error.status === 401) return;
        this.answer(false);
      } finally {
        this.asking = false;
      }
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), ASK);
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
      if (!camera) {
        if (!this.asking) {
          clearTimeout(this.timer);
          this.timer = setTimeout(() => this.ask(), SOON);
        }
      } else if (message.type === "score") camera.score(/** @type {any} */ (message));
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
    if (!this.socket.connected && this.answering) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(), SOON); // why the socket closed: a login, or the service is gone
    }
  }
}
