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
/** @type {Session | null} Of what runs. */
let present = null;
/** @type {((same: boolean) => void) | null} Answers who is in doubt about the session. */
let clear = null;

function stop() {
  end?.();
  end = present = null;
  clear?.(false);
  clear = null;
}

async function begin() {
  stop();
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
  present = session;
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

/**
 * The session is over, or it is another one than this page knows. What is open stays, with all that was typed, as long
 * as the same one is to go on with it.
 *
 * @param {(same: boolean) => void} answer
 */
async function identify(answer) {
  clear = answer;
  while (clear === answer) {
    try {
      const session = await whoAsks();
      if (clear !== answer) return;
      if (session) goOn(session);
      else askAgain();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN)); // the service is gone
    }
  }
}

/** @param {Session} session */
function goOn(session) {
  if (session.name === present?.name && String(session.scopes) === String(present.scopes)) {
    clear?.(true);
    clear = null;
  } else begin();
}

/** Asks for a key over the page, which is not seen meanwhile. */
function askAgain() {
  const { title } = document;
  const dialog = h("dialog", { class: "again", "aria-label": "Log in again" });
  const loggedIn = (/** @type {Session} */ session) => {
    dialog.close(); // gives the keyboard back to where it was
    dialog.remove();
    document.title = title;
    goOn(session);
  };
  const look = async () => {
    const session = await whoAsks().catch(() => null); // somebody may have logged in in another tab
    if (session && dialog.isConnected) loggedIn(session);
    if (!dialog.isConnected) window.removeEventListener("focus", look);
  };
  window.addEventListener("focus", look);
  dialog.append(loginForm(loggedIn, "Your session is over. This page goes on where it was."));
  dialog.addEventListener("close", () => dialog.isConnected && dialog.showModal()); // by Escape
  document.body.append(dialog);
  dialog.showModal();
  document.title = "Log in · framewatch";
}

onRefused(() => new Promise((answer) => (end ? identify(answer) : answer(false))));
begin();
