/** The login: a key, which is exchanged for a cookie and kept nowhere. */

import { Problem } from "./api.js";
import { h, say } from "./dom.js";
import { login } from "./session.js";

/**
 * @param {(session: import("./types.js").Session) => void} done
 * @param {string} [why] Somebody who was logged in already is asked again.
 * @returns {HTMLElement}
 */
export function loginForm(done, why = "") {
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const key = h("input", {
    type: "password",
    id: "key",
    name: "key",
    required: true,
    autocomplete: "current-password",
    spellcheck: false,
    placeholder: "fw_…",
    autofocus: true,
  });
  const send = h("button", { type: "submit", class: "main" }, "Log in");
  const form = h(
    "form",
    { class: "card login", onsubmit: submit },
    h("h1", { tabIndex: -1 }, why ? "Log in again" : "Log in"),
    why && h("p", null, why),
    h("label", { htmlFor: "key" }, "Key"),
    key,
    h(
      "p",
      { class: "hint" },
      "The first start of the service writes one to admin.key in its data folder; framewatch key create makes more.",
    ),
    error,
    send,
  );

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    send.disabled = true;
    error.hidden = true;
    try {
      done(await login(key.value.trim()));
    } catch (problem) {
      const refused = problem instanceof Problem && problem.status === 401;
      say(error, refused ? "This key is not valid." : /** @type {Error} */ (problem).message);
      error.hidden = false;
      key.select();
    } finally {
      send.disabled = false;
    }
  }
  return form;
}
