/** The one websocket that all scores come over: it reconnects by itself, and gets what it missed meanwhile. */

import { admitted, hangUp, socketAddress } from "./api.js";
import { Backoff } from "./backoff.js";

/** @typedef {import("./types.js").Message} Message */

const BATCH = 200; // milliseconds that the service gathers messages for: five redraws a second are enough

export class ScoreSocket {
  /**
   * @param {(messages: Message[]) => void} onMessages
   * @param {(connected: boolean) => void} onChange
   */
  constructor(onMessages, onChange) {
    this.connected = false;
    this.position = "";
    this.onMessages = onMessages;
    this.onChange = onChange;
    this.backoff = new Backoff();
    this.timer = 0;
    this.ended = true;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.again = () => this.retry();
  }

  /** @param {string} since `epoch:at` of the last message that is known. */
  start(since) {
    this.position = since;
    this.ended = false;
    window.addEventListener("online", this.again);
    document.addEventListener("visibilitychange", this.again);
    this.connect();
  }

  stop() {
    this.ended = true;
    window.removeEventListener("online", this.again);
    document.removeEventListener("visibilitychange", this.again);
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (socket) hangUp(socket);
    this.connected = false; // nobody is told: who stops it knows
  }

  /** Somebody looks at the page again, or the network is back: no reason to wait. */
  retry() {
    if (this.ended || this.socket || document.hidden) return;
    clearTimeout(this.timer);
    this.connect();
  }

  connect() {
    const since = this.position ? `&since=${this.position}` : "";
    const socket = new WebSocket(socketAddress(`v1/scores?batch_ms=${BATCH}${since}`));
    this.socket = socket;
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      const found = JSON.parse(event.data);
      this.take(Array.isArray(found) ? found : [found]);
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.set(false);
      if (!this.ended) this.timer = setTimeout(async () => (await admitted(), this.retry()), this.backoff.next());
    };
  }

  /** @param {Message[]} messages */
  take(messages) {
    this.backoff.reset();
    for (const message of messages) {
      if (message.at !== undefined && message.epoch !== undefined) this.position = `${message.epoch}:${message.at}`;
    }
    this.set(true);
    this.onMessages(messages);
  }

  /** @param {boolean} connected */
  set(connected) {
    if (this.connected === connected) return;
    this.connected = connected;
    this.onChange(connected);
  }
}
