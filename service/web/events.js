/** All events, newest first; they come in as they open. */

import { address, get, part } from "./api.js";
import { byName } from "./camera.js";
import { fill, h, say } from "./dom.js";
import { eventRow } from "./eventrow.js";
import { query } from "./place.js";
import { Rows } from "./rows.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Event} FoundEvent */

const PAGE = 50;
const MOST = 200; // that the service gives at once
const AGAIN = 4000; // milliseconds before another try where the service did not answer

/**
 * @param {App} app
 * @returns {View}
 */
export function events(app) {
  const { live } = app;
  let next = "";
  let timer = 0;
  let choice = 0; // counts
  let looking = false;
  let again = false;
  let extended = false;
  /** @type {FoundEvent[]} */
  let shown = [];
  const list = h("ul", { class: "events card flush" });
  const said = h("p", { class: "empty", hidden: true });
  const more = h("button", { type: "button", hidden: true, onclick: goOn }, "Earlier ones");
  const stream = h("select", { "aria-label": "Camera", onchange: choose }, h("option", { value: "" }, "All cameras"));
  const label = h(
    "select",
    { "aria-label": "Label", onchange: choose },
    h("option", { value: "" }, "Any label"),
    h("option", { value: "none" }, "Not labelled"),
    h("option", { value: "true" }, "True alarms"),
    h("option", { value: "false" }, "False alarms"),
  );
  const csv = h("a", { class: "button", download: "events.csv", href: address("v1/events.csv") }, "Export as CSV");

  const filters = () =>
    [stream.value && `stream=${part(stream.value)}`, label.value && `label=${label.value}`].filter(Boolean).join("&");

  /** @param {string} chosen Id of one, or "". */
  function cameras(chosen) {
    const options = [...live.cameras.values()]
      .sort(byName)
      .map((camera) => h("option", { value: camera.id }, camera.view.name));
    if (chosen && !live.cameras.has(chosen)) options.push(h("option", { value: chosen }, chosen));
    fill(stream, h("option", { value: "" }, "All cameras"), options);
    stream.value = chosen;
  }

  const nameOf = (/** @type {FoundEvent} */ event) => live.cameras.get(event.stream)?.view.name ?? event.stream;
  /** @type {Rows<FoundEvent>} */
  const rows = new Rows(list, {
    key: (event) => event.id,
    said: (event) => [event, nameOf(event)],
    make: (event) => ({ element: eventRow(event, nameOf(event)) }),
  });

  /** Looks at the newest ones; one look at a time, and another one if something has happened meanwhile. */
  async function load() {
    clearTimeout(timer);
    again = looking;
    if (looking) return;
    looking = true;
    const found = await ask("");
    looking = false;
    if (again) load();
    if (!found) return;
    const oldest = found.events.at(-1)?.id ?? 0;
    const earlier = extended ? shown.filter((event) => event.id < oldest) : [];
    if (!earlier.length) next = found.next ?? "";
    show([...found.events, ...earlier]);
  }

  /**
   * @param {number} limit
   * @returns {Promise<number>} Id of the first of those that came in; 0: none did.
   */
  async function extend(limit) {
    const found = await ask(`&cursor=${part(next)}`, limit);
    if (!found) return 0;
    extended = true;
    next = found.next ?? "";
    const known = new Set(shown.map((event) => event.id));
    const added = found.events.filter((event) => !known.has(event.id));
    show([...shown, ...added]);
    return added[0]?.id ?? 0;
  }

  /** The keyboard goes to the first of them: the button stands below them all, if it is still there. */
  async function goOn() {
    reach(await extend(PAGE));
  }

  /** @param {number} id Of an event, or of one that stood where now an earlier one does. */
  function reach(id) {
    const there = shown.find((event) => event.id <= id);
    const link = /** @type {HTMLElement | null} */ (there ? list.querySelector(`a[href="#/events/${there.id}"]`) : null);
    link?.focus({ preventScroll: true });
    return link;
  }

  /**
   * Whoever comes back from an event finds the list as it was left.
   *
   * @param {number} left Id of the event.
   */
  async function comeBack(left) {
    await choose();
    if (!left) return;
    while (next && (shown.at(-1)?.id ?? 0) > left && (await extend(MOST)));
    if (choice > 0) reach(left)?.scrollIntoView({ block: "center" });
  }
  list.addEventListener("click", ({ target }) => {
    const link = /** @type {Element} */ (target).closest("a");
    if (link) history.replaceState({ left: Number(link.hash.split("/").pop()) }, "");
  });

  /**
   * @param {string} cursor
   * @param {number} [limit]
   * @returns {Promise<{events: FoundEvent[], next: string | null} | null>} null: nobody waits for it any more.
   */
  async function ask(cursor, limit = PAGE) {
    const mine = choice;
    const chosen = filters();
    try {
      const found = await get(`v1/events?limit=${limit}${cursor}${chosen && `&${chosen}`}`);
      return mine === choice ? found : null;
    } catch (error) {
      if (mine !== choice) return null;
      if (!shown.length) say(said, `${/** @type {Error} */ (error).message} Trying again …`);
      said.hidden = shown.length > 0;
      timer = setTimeout(load, AGAIN);
      return null;
    }
  }

  /** @param {FoundEvent[]} all */
  function show(all) {
    shown = all;
    rows.show(all);
    more.hidden = !next;
    list.hidden = !all.length;
    said.hidden = all.length > 0;
    say(said, filters() ? "No event is so." : "Nothing was flagged yet. Events come in here as they happen.");
  }

  /** Other ones are wanted; the address says which, so that they are shown again by whoever comes back. */
  function choose() {
    const chosen = filters();
    history.replaceState(null, "", `#/events${chosen && `?${chosen}`}`);
    csv.href = address(`v1/events.csv${chosen && `?${chosen}`}`);
    choice += 1;
    extended = false;
    shown = [];
    return load();
  }

  const onList = () => {
    cameras(stream.value);
    load();
  };
  live.addEventListener("list", onList);
  live.addEventListener("event", load);
  live.addEventListener("back", load);
  cameras(query().get("stream") ?? "");
  const before = query().get("label");
  if (before && [...label.options].some((option) => option.value === before)) label.value = before;
  comeBack(history.state?.left ?? 0);
  return {
    title: "Events",
    element: h(
      "div",
      null,
      h("header", { class: "head" }, h("h1", { tabIndex: -1 }, "Events"), h("div", { class: "tools" }, stream, label, csv)),
      said,
      list,
      h("p", { class: "more" }, more),
    ),
    close() {
      choice = -1;
      clearTimeout(timer);
      live.removeEventListener("list", onList);
      live.removeEventListener("event", load);
      live.removeEventListener("back", load);
    },
  };
}
