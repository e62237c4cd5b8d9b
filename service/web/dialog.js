/** A question before something that cannot be taken back. */

import { h } from "./dom.js";

/**
 * @param {string} title
 * @param {string} text
 * @param {string} yes What the button says that does it.
 * @param {Node} [more] What else is asked.
 * @returns {Promise<boolean>}
 */
export function ask(title, text, yes, more) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "card", "aria-label": title },
      h("h2", null, title),
      h("p", null, text),
      more,
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", class: "main", onclick: () => dialog.close("yes") }, yes),
        h("button", { type: "button", autofocus: true, onclick: () => dialog.close("") }, "Cancel"),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
