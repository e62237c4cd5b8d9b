/** The page begins here: who asks, then the cameras, then whatever the address says. */

import { onRefused } from "./api.js";
import { fill, h } from "./dom.js";
import { Live } from "./live.js";
import { loginForm } from "./login.js";
import { attempt } from "./notices.js";
import { here } from "./place.js";
import { find } from "./router.js";
import { logout, whoAsks } from "./session.js";
import { shell } from "./shell.js";

/** @typedef {import("./types.js").Session} Session */
/** @typedef {import("./types.js").View} View */

const AGAIN = 3000; // milliseconds

/** @type {(() => void) | null} Ends what runs, before a login or another session. */
let end = null;

async function begin() {
  end?.();
  end = null;
  try {
    const session = await whoAsks();
    if (session) run(session);
    else askForKey();
  } catch (error) {
    fill(document.body, h("p", { class: "banner", role: "alert" }, `${/** @type {Error} */ (error).message} Trying again …`));
    setTimeout(begin, AGAIN);
  }
}

function askForKey() {
  document.title = "Log in · framewatch";
  fill(document.body, h("main", { class: "gate" }, loginForm(run)));
  document.querySelector("input")?.focus();
}

/** @param {Session} session */
function run(session) {
  const live = new Live();
  const may = (/** @type {string} */ scope) => session.scopes.includes(scope) || session.scopes.includes("admin");
  const app = { live, session, may };
  const frame = shell(app, () => attempt(async () => (await logout(), begin())));
  /** @type {View | null} */
  let view = null;

  function titled() {
    document.title = `${view?.title ?? "Not found"} · framewatch`;
  }

  /** @param {boolean} first Whether the page has just been opened: then nothing takes the focus. */
  function show(first) {
    const route = find(here());
    view?.close?.();
    view = route ? route.make(app) : null;
    frame.choose(route?.menu ?? "none");
    titled();
    for (const dialog of document.querySelectorAll("dialog")) dialog.close(""); // it asked about another page
    fill(frame.outlet, view?.element ?? h("p", { class: "empty" }, "There is no such page. ", h("a", { href: "#/" }, "All cameras")));
    scrollTo(0, 0);
    if (!first) /** @type {HTMLElement | null} */ (frame.outlet.querySelector("h1"))?.focus({ preventScroll: true });
  }

  const moved = () => show(false);
  fill(document.body, frame.elements);
  window.addEventListener("hashchange", moved);
  live.addEventListener("list", titled); // a camera's page is called as the camera is
  end = () => {
    window.removeEventListener("hashchange", moved);
    view?.close?.();
    live.stop();
  };
  show(true);
  start(live);
}

/** @param {Live} live */
async function start(live) {
  try {
    await live.start();
  } catch {
    if (live.ended) return;
    live.answer(false);
    setTimeout(() => live.ended || start(live), AGAIN);
  }
}

onRefused(() => {
  if (end) begin();
});
begin();
