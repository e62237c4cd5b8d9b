/**
 * The live picture of one stream: a websocket that sends the newest frame whenever this side asks for the next. So a
 * slow page gets fewer pictures, never old ones.
 */

import { admitted, hangUp, part, socketAddress } from "./api.js";
import { Backoff } from "./backoff.js";
import { clock } from "./format.js";

const REMOVED = 1000; // how the service closes what it shows of a stream that was deleted, or has another source now
const GONE = 6000; // milliseconds: by then the page knows whether it is still there
const OLD = 4000; // milliseconds after which a picture is not called live

/**
 * @typedef {object} Facts What belongs to a picture.
 * @property {number} seq
 * @property {string} captured
 * @property {import("./types.js").Health} health
 * @property {number} width
 * @property {number} height
 * @property {number | null} score
 * @property {number | null} smoothed
 * @property {import("./types.js").State} state
 */

export class PictureSocket {
  /**
   * @param {string} stream
   * @param {object} how
   * @param {number} how.width Pixels.
   * @param {boolean} [how.heat] Whether the heat map comes too.
   * @param {number} how.interval Milliseconds between two pictures, at least.
   * @param {(facts: Facts, picture: ImageBitmap, heat: ImageBitmap | null) => void} how.show Gets the bitmaps to keep
   *   or to close.
   */
  constructor(stream, { width, heat = false, interval, show }) {
    this.path = `v1/streams/${part(stream)}/picture?width=${width}&heat=${heat ? 1 : 0}`;
    this.heat = heat;
    this.interval = interval;
    this.show = show;
    this.backoff = new Backoff(1000, 20_000);
    this.timer = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.open = false;
    /** Milliseconds of `performance.now()` at which the newest picture was the present. */
    this.heard = -Infinity;
    /** @type {Facts | null} Of the newest picture. */
    this.facts = null;
    this.visible = () => this.set(this.open);
    document.addEventListener("visibilitychange", this.visible);
  }

  /** @param {boolean} open Whether pictures are wanted; nobody wants them while the page is hidden. */
  set(open) {
    this.open = open;
    const wanted = open && !document.hidden;
    if (wanted && !this.socket) this.connect();
    if (!wanted) {
      clearTimeout(this.timer);
      const socket = this.socket;
      this.socket = null;
      if (socket) hangUp(socket);
    }
  }

  close() {
    document.removeEventListener("visibilitychange", this.visible);
    this.set(false);
  }

  /**
   * Whether the newest picture is the present. Where a camera is silent, the service sends its last picture and says
   * so; where the service is silent, the time since then tells.
   */
  get fresh() {
    return this.facts?.health === "live" && performance.now() - this.heard < OLD;
  }

  /** @returns {string} What has to stand on a picture that is not the present, "" on one that is. */
  get warning() {
    if (this.fresh) return "";
    return this.facts ? `Not live: picture of ${clock(this.facts.captured)}` : "No live picture";
  }

  connect() {
    clearTimeout(this.timer);
    const socket = new WebSocket(socketAddress(this.path));
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    /** @type {Facts | null} */
    let facts = null;
    /** @type {ArrayBuffer[]} */
    let parts = [];
    let sent = 0;
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      if (typeof event.data === "string") {
        const said = JSON.parse(event.data);
        facts = said.seq === undefined ? null : said;
        parts = [];
        sent = performance.now(); // a slow line may take long for what follows: so old it is then
        return;
      }
      parts.push(event.data);
      if (!facts || parts.length < (this.heat ? 2 : 1)) return;
      this.backoff.reset();
      this.decode(socket, facts, parts, sent);
      facts = null;
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return;
      this.socket = null;
      const wait = code === REMOVED ? GONE : this.backoff.next();
      if (this.open) this.timer = setTimeout(async () => (await admitted(), this.set(this.open)), wait);
    };
  }

  /**
   * @param {WebSocket} socket
   * @param {Facts} facts
   * @param {ArrayBuffer[]} parts
   * @param {number} sent Milliseconds of `performance.now()` at which it was on its way.
   */
  async decode(socket, facts, parts, sent) {
    const began = performance.now();
    try {
      const [picture, heat] = await Promise.all(
        parts.map((data, n) => createImageBitmap(new Blob([data], { type: n ? "image/png" : "image/jpeg" }))),
      );
      if (this.socket !== socket) {
        picture.close();
        heat?.close();
        return;
      }
      this.heard = sent;
      this.facts = facts;
      this.show(facts, picture, heat ?? null);
    } catch {
      // a picture that cannot be decoded is not shown; the next one may be
    }
    this.timer = setTimeout(
      () => socket.readyState === WebSocket.OPEN && socket.send("next"),
      Math.max(0, this.interval - (performance.now() - began)),
    );
  }
}

/**
 * Shows a bitmap on a canvas, which takes it over without copying it.
 *
 * @param {HTMLCanvasElement} canvas Of a "bitmaprenderer".
 * @param {ImageBitmap} bitmap
 */
export function present(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width; // the canvas's own shape is what the style sheet fits into its place
    canvas.height = bitmap.height;
  }
  canvas.getContext("bitmaprenderer")?.transferFromImageBitmap(bitmap);
}
