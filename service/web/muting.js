/** Mute: for some minutes events of a stream are recorded and nobody is told. */

import { part, patch, serverNow } from "./api.js";
import { h, say } from "./dom.js";
import { clock } from "./format.js";
import { attempt } from "./notices.js";

const CHOICES = /** @type {const} */ ([
  [15, "15 min"],
  [60, "1 hour"],
  [480, "8 hours"],
]);

/**
 * @param {import("./camera.js").Camera} camera
 * @param {() => Promise<void>} onChange
 */
export function muting(camera, onChange) {
  const said = h("p", { role: "status" });
  const choices = CHOICES.map(([minutes, label]) =>
    h("button", { type: "button", onclick: () => mute(minutes) }, label),
  );
  const off = h("button", { type: "button", onclick: () => mute(0) }, "Unmute");
  const element = h(
    "section",
    { class: "card", "aria-labelledby": "mute" },
    h("h2", { id: "mute" }, "Mute"),
    said,
    h("div", { class: "row" }, choices, off),
  );

  /** @param {number} minutes 0: no longer. */
  async function mute(minutes) {
    const until = minutes ? new Date(serverNow() + minutes * 60_000).toISOString() : null;
    await attempt(async () => {
      await patch(`v1/streams/${part(camera.id)}`, { muted_until: until });
      await onChange();
    });
    update();
  }

  function update() {
    const until = camera.muted;
    say(
      said,
      until ? `Muted until ${clock(until)}: events are recorded, nobody is told.` : "Events are recorded meanwhile, but nobody is told.",
    );
    off.hidden = !until;
  }
  update();
  return { element, update };
}
