/** The live picture of one camera, large, with the heat map over it and the region that is scored. */

import { h, mark, say, shape } from "./dom.js";
import { drawHeat } from "./heat.js";
import { keep, kept } from "./kept.js";
import { MaskEditor, maskOutline } from "./mask.js";
import { PictureSocket, present } from "./picture.js";
import { stateWord } from "./standing.js";

/** @typedef {import("./types.js").Polygon} Polygon */

const WIDTH = 960;
const INTERVAL = 90; // milliseconds: about ten pictures a second
const KEPT = "heat";

export class Stage {
  /**
   * @param {import("./camera.js").Camera} camera
   * @param {((polygons: Polygon[]) => Promise<unknown>) | null} onMask Keeps a region; null: it cannot be changed.
   */
  constructor(camera, onMask) {
    this.camera = camera;
    this.onMask = onMask;
    this.canvas = h("canvas", { class: "picture", "aria-hidden": "true" });
    this.heat = h("canvas", { class: "picture heat", "aria-hidden": "true" });
    this.chip = h("span", { class: "chip state" });
    this.veil = h("span", { class: "veil" });
    this.outline = h("div", { class: "outline" });
    this.frame = h(
      "div",
      { class: "stage large" },
      this.canvas,
      this.heat,
      this.outline,
      this.veil,
      h("div", { class: "chips" }, this.chip),
    );
    this.slider = h("input", { type: "range", id: "heat", min: "0", max: "100", step: "5", value: kept(KEPT) ?? "70" });
    this.slider.addEventListener("input", () => this.fade());
    this.edit = h("button", { type: "button", onclick: () => this.draw() }, "Edit the region");
    this.controls = h(
      "div",
      { class: "row under" },
      h("label", { htmlFor: "heat" }, "Heat map"),
      this.slider,
      h("span", { class: "grow" }),
      onMask && this.edit,
    );
    this.element = h("section", { class: "card flush", "aria-label": "Live picture" }, h("div", { class: "screen" }, this.frame), this.controls);
    this.shown = "";
    this.fade();
    this.picture = new PictureSocket(camera.id, {
      width: WIDTH,
      heat: true,
      interval: INTERVAL,
      show: (facts, picture, heat) => {
        shape(this.frame, facts.width, facts.height);
        present(this.canvas, picture);
        if (heat) {
          drawHeat(this.heat, heat);
          heat.close();
        }
      },
    });
    this.picture.set(true);
  }

  fade() {
    this.heat.style.opacity = String(Number(this.slider.value) / 100);
    keep(KEPT, this.slider.value);
  }

  /** @param {boolean} connected */
  update(connected) {
    const { picture, camera } = this;
    const live = connected && picture.fresh && camera.health === "live";
    mark(this.frame, "picture", live ? "live" : picture.facts ? "old" : "none");
    mark(this.frame, "standing", connected ? camera.standing : "quiet");
    say(this.veil, live ? "" : picture.warning || "Not live");
    say(this.chip, stateWord(camera, connected));
    const { mask } = camera.view.options;
    const shown = JSON.stringify(mask);
    if (shown !== this.shown && !this.editor) {
      this.shown = shown;
      this.outline.replaceChildren(maskOutline(mask));
    }
  }

  /** Begins to draw the region. */
  draw() {
    if (this.editor) return;
    const editor = new MaskEditor(this.camera.view.options.mask, (polygons) => this.drawn(polygons));
    this.editor = editor;
    this.outline.replaceChildren(editor.surface);
    this.controls.hidden = true;
    this.element.append(editor.tools);
    editor.surface.focus();
  }

  /** @param {Polygon[] | null} polygons */
  async drawn(polygons) {
    if (polygons && !(await this.onMask?.(polygons))) return; // what was drawn stays, to be mended
    this.editor?.tools.remove();
    this.editor = undefined;
    this.shown = "";
    this.controls.hidden = false;
    this.edit.focus();
    this.update(true);
  }

  close() {
    this.picture.close();
  }
}
