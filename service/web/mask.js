/**
 * The region that is scored, drawn on the picture: polygons by mouse or finger (a click sets a point, points are
 * dragged), and by keyboard (arrows move a cross or a point, Enter sets one).
 */

import { h, s, say } from "./dom.js";

/** @typedef {import("./types.js").Polygon} Polygon */

const STEP = 0.02;

export class MaskEditor {
  /**
   * @param {Polygon[]} polygons
   * @param {(polygons: Polygon[] | null) => void} onEnd Gets what was drawn; null: nothing is to change.
   */
  constructor(polygons, onEnd) {
    /** @type {Polygon[]} */
    this.polygons = polygons.map((polygon) => polygon.map(([x, y]) => [x, y]));
    /** @type {Polygon} */
    this.open = [];
    /** @type {[number, number]} */
    this.cross = [0.5, 0.5];
    this.keyed = false;
    this.shapes = s("g", {});
    this.surface = s("svg", {
      class: "mask",
      viewBox: "0 0 1 1",
      preserveAspectRatio: "none",
      tabindex: 0,
      role: "application",
      "aria-label": "Region on the picture. Arrows move the cross, Enter sets a point, Escape takes the last one back.",
    });
    this.surface.append(this.shapes);
    this.said = h("p", { class: "hint", role: "status" });
    const finish = h("button", { type: "button", onclick: () => this.finish() }, "Close the shape");
    const back = h("button", { type: "button", onclick: () => this.back() }, "Take back");
    const clear = h("button", { type: "button", onclick: () => this.clear() }, "Whole picture");
    const save = h("button", { type: "button", class: "main", onclick: () => this.save(onEnd) }, "Save the region");
    const cancel = h("button", { type: "button", class: "plain", onclick: () => onEnd(null) }, "Cancel");
    this.finishing = finish;
    this.tools = h("div", { class: "mask-tools" }, this.said, h("div", { class: "row" }, save, finish, back, clear, cancel));
    this.surface.addEventListener("pointerdown", (event) => this.press(/** @type {PointerEvent} */ (event)));
    this.surface.addEventListener("keydown", (event) => this.key(/** @type {KeyboardEvent} */ (event)));
    this.draw();
  }

  /**
   * @param {PointerEvent} event
   * @returns {[number, number]}
   */
  place(event) {
    const box = this.surface.getBoundingClientRect();
    const share = (/** @type {number} */ value) => Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));
    return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
  }

  /** @param {PointerEvent} event */
  press(event) {
    event.preventDefault();
    this.surface.focus();
    this.keyed = false;
    const handle = /** @type {SVGElement} */ (event.target);
    if (handle.dataset.point !== undefined) {
      const polygon = handle.dataset.shape === "open" ? this.open : this.polygons[Number(handle.dataset.shape)];
      const point = polygon[Number(handle.dataset.point)];
      if (polygon === this.open && handle.dataset.point === "0" && this.open.length > 2) this.finish();
      else this.drag(event.pointerId, point);
      return;
    }
    this.open.push(this.place(event));
    this.draw();
  }

  /**
   * @param {number} pointer
   * @param {[number, number]} point
   */
  drag(pointer, point) {
    this.surface.setPointerCapture(pointer);
    const move = (/** @type {Event} */ event) => {
      [point[0], point[1]] = this.place(/** @type {PointerEvent} */ (event));
      this.draw();
    };
    this.surface.addEventListener("pointermove", move);
    this.surface.addEventListener("pointerup", () => this.surface.removeEventListener("pointermove", move), { once: true });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (move) {
      const step = event.shiftKey ? STEP / 4 : STEP;
      this.keyed = true;
      this.cross = /** @type {[number, number]} */ (
        this.cross.map((value, n) => Math.min(1, Math.max(0, Math.round((value + move[n] * step) * 1000) / 1000)))
      );
    } else if (event.key === "Enter" || event.key === " ") {
      this.keyed = true;
      const [first] = this.open;
      const near = first && Math.hypot(first[0] - this.cross[0], first[1] - this.cross[1]) < STEP;
      if (near && this.open.length > 2) this.finish();
      else this.open.push([...this.cross]);
    } else if (event.key === "Escape" || event.key === "Backspace") this.back();
    else return;
    event.preventDefault();
    this.draw();
  }

  finish() {
    if (this.open.length > 2) {
      this.polygons.push(this.open);
      this.open = [];
    }
    this.draw();
  }

  back() {
    if (this.open.length) this.open.pop();
    else this.open = this.polygons.pop() ?? [];
    this.draw();
  }

  clear() {
    this.polygons = [];
    this.open = [];
    this.draw();
  }

  /** @param {(polygons: Polygon[] | null) => void} onEnd */
  save(onEnd) {
    this.finish();
    if (this.open.length) say(this.said, "A shape needs three points at least: set more, or take these back.");
    else onEnd(this.polygons);
  }

  draw() {
    this.shapes.replaceChildren(...drawn(this.polygons, this.open));
    if (this.keyed) {
      const [x, y] = this.cross;
      this.shapes.append(
        s("path", { class: "cross", d: `M${x - 0.03} ${y}H${x + 0.03}M${x} ${y - 0.04}V${y + 0.04}` }),
      );
    }
    /** @type {HTMLButtonElement} */ (this.finishing).disabled = this.open.length < 3;
    const shapes = this.polygons.length;
    say(
      this.said,
      this.open.length
        ? `${this.open.length} point${this.open.length > 1 ? "s" : ""} set. Go on, or close the shape.`
        : shapes
          ? `${shapes} shape${shapes > 1 ? "s" : ""}: only what lies inside is scored.`
          : "Nothing drawn: the whole picture is scored. Click on the picture to set the corners of a shape.",
    );
  }
}

/**
 * @param {Polygon[]} polygons
 * @param {Polygon} open
 */
function drawn(polygons, open) {
  const path = (/** @type {Polygon} */ polygon) => `M${polygon.map((point) => point.join(" ")).join("L")}`;
  const closed = polygons.map((polygon) => `${path(polygon)}Z`).join("");
  const parts = [];
  if (closed) {
    parts.push(s("path", { class: "outside", d: `M0 0H1V1H0Z${closed}`, "fill-rule": "evenodd" }));
    parts.push(s("path", { class: "edge", d: closed }));
  }
  if (open.length > 1) parts.push(s("path", { class: "edge open", d: path(open) }));
  const handles = [...polygons.entries(), /** @type {[string, Polygon]} */ (["open", open])];
  for (const [shape, polygon] of handles) {
    for (const [n, [x, y]] of polygon.entries()) {
      // a line without length and with round ends stays round, however the picture is stretched
      parts.push(s("path", { class: "handle", d: `M${x} ${y}h0.0001`, "data-shape": shape, "data-point": n }));
    }
  }
  return parts;
}

/**
 * The region as it lies over a live picture, not to be changed.
 *
 * @param {Polygon[]} polygons
 */
export function maskOutline(polygons) {
  return s(
    "svg",
    { class: "mask still", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" },
    ...drawn(polygons, []).filter((part) => !part.classList.contains("handle")),
  );
}
