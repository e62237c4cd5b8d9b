/** What is around every page: menu, connection, colours, logout. */

import { h, mark, say } from "./dom.js";
import { notices } from "./notices.js";
import { themeSwitch } from "./theme.js";

const MENU = [
  ["", "Cameras"],
  ["events", "Events"],
  ["videos", "Videos"],
  ["models", "Models"],
  ["alerts", "Alerts"],
];

/**
 * @param {import("./types.js").App} app
 * @param {() => void} onLogout
 */
export function shell(app, onLogout) {
  const links = MENU.map(([path, label]) => h("a", { href: `#/${path}`, data: { menu: path } }, label));
  const text = h("span", { class: "wide" });
  const link = h("span", { class: "link", role: "status" }, h("i", { class: "dot", "aria-hidden": "true" }), text);
  const outlet = h("main", { id: "main", tabIndex: -1 });
  const banner = h("p", { class: "banner", role: "alert", hidden: true });
  const out =
    app.session.auth && h("button", { type: "button", class: "plain", onclick: onLogout }, "Log out");
  const top = h(
    "header",
    { class: "top" },
    h("a", { class: "skip", href: "#main", onclick: skip }, "To the content"),
    h("a", { class: "brand", href: "#/", "aria-label": "framewatch: all cameras" }, "framewatch"),
    h("nav", { "aria-label": "Pages" }, links),
    h("div", { class: "corner" }, link, themeSwitch(), out),
  );

  /** @param {MouseEvent} event */
  function skip(event) {
    event.preventDefault();
    outlet.focus();
  }

  function linked() {
    const { connected, answering } = app.live;
    mark(link, "state", connected ? "on" : "off");
    const word = connected ? "Connected" : "Reconnecting";
    say(text, word);
    link.title = word;
    banner.hidden = connected || !app.live.loaded;
    say(
      banner,
      answering
        ? "The stream of scores is interrupted. What you see may be old; this page reconnects by itself."
        : "The service does not answer. What you see is old; this page reconnects by itself.",
    );
  }
  app.live.addEventListener("link", linked);
  linked();

  return {
    elements: [top, banner, outlet, notices],
    outlet,
    /** @param {string} menu */
    choose(menu) {
      for (const one of links) {
        if (one.dataset.menu === menu) one.setAttribute("aria-current", "page");
        else one.removeAttribute("aria-current");
      }
    },
  };
}
