/** Short notices of what just happened, read out by screen readers too. */

import { h } from "./dom.js";

const SHOWN = 6000; // milliseconds

export const notices = h("div", { class: "notices", role: "status", "aria-live": "polite" });

/**
 * @param {string} text
 * @param {"good" | "bad"} [kind] Bad ones stay until they are closed.
 */
export function notify(text, kind = "good") {
  const close = h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => notice.remove() }, "×");
  const notice = h("p", { class: "notice", data: { kind } }, text, close);
  notices.append(notice);
  while (notices.children.length > 4) notices.firstElementChild?.remove();
  if (kind === "good") setTimeout(() => notice.remove(), SHOWN);
}

/**
 * Runs something that may fail, and says so if it does.
 *
 * @template T
 * @param {() => Promise<T>} doing
 * @param {string} [done] What is said if it worked.
 * @returns {Promise<T | undefined>}
 */
export async function attempt(doing, done = "") {
  try {
    const result = await doing();
    if (done) notify(done);
    return result;
  } catch (error) {
    notify(/** @type {Error} */ (error).message, "bad");
    return undefined;
  }
}
