/** Alerts: where they are sent, whether they arrive, and those that did not. */

import { get, part, patch, post, Problem, remove } from "./api.js";
import { byName } from "./camera.js";
import { ask } from "./dialog.js";
import { fill, h, say } from "./dom.js";
import { day } from "./format.js";
import { attempt } from "./notices.js";
import { Rows } from "./rows.js";

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Webhook} Webhook */
/** @typedef {import("./types.js").Alert} Alert */

const AGAIN = 4000; // milliseconds
const STATES = { dead: "Given up", waiting: "Waiting", sent: "Sent" };
const NONE = { dead: "None was given up.", waiting: "None waits.", sent: "None was sent yet." };
const TONES = { dead: "bad", waiting: "warn", sent: "good" };

/**
 * @param {App} app
 * @returns {View}
 */
export function alerts(app) {
  const hooks = h("ul", { class: "events card flush" });
  const messages = h("ul", { class: "events card flush" });
  const body = h("div", { class: "stack" });
  const state = h(
    "select",
    { "aria-label": "Which messages", onchange: () => load() },
    Object.entries(STATES).map(([value, label]) => h("option", { value }, label)),
  );
  const ending = new AbortController();
  const nobody = h("p", { class: "card empty pad" }, "Nobody is told yet: add a webhook below.");
  const none = h("p", { class: "card empty pad" });
  let timer = 0;
  let turn = 0;

  /** @type {Rows<Webhook>} */
  const hookRows = new Rows(hooks, { key: (one) => one.id, make: (one) => ({ element: hookRow(app, one, load) }) });
  /** @type {Rows<Alert>} */
  const messageRows = new Rows(messages, {
    key: (one) => one.id,
    make: (one) => ({ element: messageRow(app, one, load) }),
  });

  async function load() {
    clearTimeout(timer);
    const mine = ++turn;
    const wanted = state.value;
    try {
      const [told, sent] = await Promise.all([get("v1/webhooks"), get(`v1/alerts?state=${wanted}&limit=50`)]);
      if (mine !== turn) return;
      if (!body.contains(messages)) layOut();
      hookRows.show(told.webhooks);
      messageRows.show(sent.alerts);
      nobody.hidden = told.webhooks.length > 0;
      none.hidden = sent.alerts.length > 0;
      hooks.hidden = !nobody.hidden;
      messages.hidden = !none.hidden;
      say(none, NONE[/** @type {keyof typeof NONE} */ (wanted)]);
    } catch (error) {
      if (mine !== turn) return;
      if (!body.contains(messages)) fill(body, h("p", { class: "empty" }, refusal(/** @type {Error} */ (error))));
    }
    timer = setTimeout(load, AGAIN);
  }

  function layOut() {
    fill(
      body,
      nobody,
      hooks,
      app.may("admin") && hookForm(app, load, ending.signal),
      h("div", { class: "line spaced" }, h("h2", null, "Messages"), state),
      none,
      messages,
    );
  }

  load();
  return {
    title: "Alerts",
    element: h(
      "div",
      null,
      h(
        "header",
        { class: "head" },
        h("div", null, h("h1", { tabIndex: -1 }, "Alerts"), h("p", { class: "summary" }, "Signed messages to your systems when an event opens and closes. MQTT is set where the service starts.")),
      ),
      body,
    ),
    close() {
      turn = -1;
      clearTimeout(timer);
      ending.abort();
    },
  };
}

/** @param {Error} error */
function refusal(error) {
  return error instanceof Problem && error.status === 404 ? "This service sends no alerts." : error.message;
}

/**
 * @param {App} app
 * @param {Webhook} one
 * @param {() => void} onChange
 */
function hookRow(app, one, onChange) {
  const path = `v1/webhooks/${part(one.id)}`;
  const test = h("button", { type: "button", onclick: tried }, "Test");

  async function tried() {
    test.disabled = true;
    const found = await attempt(() => post(`${path}/test`));
    test.disabled = false;
    if (!found) return;
    fill(result, found.ok ? "The test has arrived." : `The test has not arrived: ${found.reason}`);
    result.className = found.ok ? "good" : "error";
  }

  const result = h("p", { role: "status", class: one.error ? "error" : "hint" }, one.error && `Last time: ${one.error}`);
  const turn = () => attempt(async () => (await patch(path, { enabled: !one.enabled }), onChange()));
  const drop = async () => {
    if (await ask("Remove the webhook?", `${one.name} is told nothing any more; its messages are deleted.`, "Remove")) {
      await attempt(async () => (await remove(path), onChange()));
    }
  };
  return h(
    "li",
    { class: "event" },
    h(
      "div",
      { class: "event-text" },
      h("h3", null, one.name),
      h("p", { class: "hint break" }, `${one.url} · ${one.streams.length ? one.streams.join(", ") : "all cameras"}`),
      result,
    ),
    h(
      "div",
      { class: "event-side" },
      !one.enabled && h("span", { class: "chip" }, "Off"),
      app.may("admin") && [test, h("button", { type: "button", onclick: turn }, one.enabled ? "Turn off" : "Turn on"), h("button", { type: "button", class: "plain danger", onclick: drop }, "Remove")],
    ),
  );
}

/**
 * @param {App} app
 * @param {() => void} onChange
 * @param {AbortSignal} signal Ends with the page.
 */
function hookForm(app, onChange, signal) {
  const name = h("input", { id: "hook-name", required: true, maxLength: 100, placeholder: "Control room" });
  const url = h("input", { id: "hook-url", type: "url", required: true, placeholder: "https://example.org/framewatch" });
  const secret = h("input", { id: "hook-secret", type: "password", autocomplete: "new-password", placeholder: "made by the service" });
  const streams = h("select", { id: "hook-streams" });
  const made = h("p", { class: "hint break", role: "status" });
  const field = (/** @type {string} */ id, /** @type {string} */ label, /** @type {HTMLElement} */ control) =>
    h("div", { class: "field" }, h("label", { htmlFor: id }, label), control);

  /** The cameras may be known after this form, and come and go. */
  function offer() {
    const chosen = streams.value;
    const cameras = [...app.live.cameras.values()].sort(byName);
    fill(streams, h("option", { value: "" }, "All cameras"), cameras.map((one) => h("option", { value: one.id }, one.view.name)));
    streams.value = app.live.cameras.has(chosen) ? chosen : "";
  }
  app.live.addEventListener("list", offer, { signal });
  offer();

  /** @param {SubmitEvent} event */
  async function add(event) {
    event.preventDefault();
    /** @type {Record<string, unknown>} */
    const body = { name: name.value.trim(), url: url.value.trim(), streams: streams.value ? [streams.value] : [] };
    if (secret.value) body.secret = secret.value;
    const found = await attempt(() => post("v1/webhooks", body));
    if (!found) return;
    fill(made, found.secret ? `Its secret, shown this once: ${found.secret}` : "Added.");
    name.value = url.value = secret.value = "";
    onChange();
  }

  return h(
    "details",
    { class: "card" },
    h("summary", null, "Add a webhook"),
    h(
      "form",
      { class: "form", onsubmit: add },
      field("hook-name", "Name", name),
      field("hook-url", "Address", url),
      field("hook-secret", "Secret that signs the messages", secret),
      field("hook-streams", "About", streams),
      h("div", { class: "row wide-row" }, h("button", { type: "submit", class: "main" }, "Add"), made),
    ),
  );
}

/**
 * @param {App} app
 * @param {Alert} one
 * @param {() => void} onChange
 */
function messageRow(app, one, onChange) {
  const again = () => attempt(async () => (await post(`v1/alerts/${one.id}/resend`), onChange()), "It is sent again.");
  const what = one.event === null ? "Test" : h("a", { href: `#/events/${one.event}` }, `${one.type}, event ${one.event}`);
  return h(
    "li",
    { class: "event" },
    h(
      "div",
      { class: "event-text" },
      h("p", null, what),
      h("p", { class: "hint break" }, `${day(one.created)} · ${one.attempts} ${one.attempts === 1 ? "attempt" : "attempts"}${one.error ? ` · ${one.error}` : ""}`),
    ),
    h(
      "div",
      { class: "event-side" },
      h("span", { class: "chip", data: { tone: TONES[one.state] } }, STATES[one.state]),
      one.state === "dead" && app.may("admin") && h("button", { type: "button", onclick: again }, "Send again"),
    ),
  );
}
