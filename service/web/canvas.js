/** Canvases that are sharp on any screen, and drawn at most once a frame. */

import { theme } from "./theme.js";

/** @type {Set<Surface>} */
const waiting = new Set();
let asked = false;

function drawAll() {
  asked = false;
  const now = [...waiting];
  waiting.clear();
  for (const surface of now) surface.paint();
}

export class Surface {
  /**
   * @param {HTMLCanvasElement} canvas Its size is what the style sheet says.
   * @param {(context: CanvasRenderingContext2D, width: number, height: number) => void} draw In CSS pixels.
   */
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.draw = draw;
    this.width = 0;
    this.height = 0;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.observer = new ResizeObserver(([entry]) => {
      this.width = entry.contentRect.width;
      this.height = entry.contentRect.height;
      const scale = Math.min(devicePixelRatio, 2);
      canvas.width = Math.round(this.width * scale);
      canvas.height = Math.round(this.height * scale);
      this.context.setTransform(scale, 0, 0, scale, 0, 0);
      this.paint();
    });
    this.observer.observe(canvas);
    this.themed = () => this.dirty();
    theme.addEventListener("change", this.themed);
  }

  /** Asks for a drawing with the next frame of the screen. */
  dirty() {
    waiting.add(this);
    if (!asked) {
      asked = true;
      requestAnimationFrame(drawAll);
    }
  }

  paint() {
    if (!this.width || !this.height) return;
    this.context.clearRect(0, 0, this.width, this.height);
    this.draw(this.context, this.width, this.height);
  }

  close() {
    waiting.delete(this);
    this.observer.disconnect();
    theme.removeEventListener("change", this.themed);
  }
}
