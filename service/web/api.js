/** Requests to the service. Every address is relative to the page, whatever path a proxy shows it at. */

/** An answer that is no success, in the service's own words. */
export class Problem extends Error {
  /**
   * @param {number} status 0: there was no answer.
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const PATIENCE = 60_000; // milliseconds
const APART = 5000; // milliseconds between two clocks that count as none: answers take their time, and name whole seconds
let csrf = "";
let offset = 0;
/** @type {() => Promise<boolean>} */
let refused = async () => false;
/** @type {Promise<void> | null} Settles when it is clear again who asks; null: it is. */
let doubt = null;

/** @param {string} token Goes with every change that relies on the cookie. */
export function useToken(token) {
  csrf = token;
}

/**
 * @param {() => Promise<boolean>} listener Called when the service wants a login, or takes this page for one of another
 *   session. It finds out who asks, and says whether that is still the same one.
 */
export function onRefused(listener) {
  refused = listener;
}

/** Finds out who asks. What is to be done for somebody who has left is never done: this does not settle then. */
export function identify() {
  doubt ??= refused().then((same) => {
    doubt = null;
    return same ? undefined : new Promise(() => undefined);
  });
  return doubt;
}

/** Waits as long as a login is wanted, so that nobody hammers on a closed door. */
export const admitted = async () => doubt;

/**
 * The absolute address of a path of the service, wherever the page is.
 *
 * @param {string} path Below the page; with a slash in front (as answers hold it) it may begin with where the page is.
 */
export function address(path) {
  const base = new URL(".", document.baseURI);
  return new URL(path.startsWith(base.pathname) ? path : path.replace(/^\//, ""), base).href;
}

/** @param {string} path */
export function socketAddress(path) {
  return address(path).replace(/^http/, "ws");
}

/**
 * Closes a socket that nobody listens to any more. One that is still being opened is closed once it is: before that,
 * browsers report it as a failed connection.
 *
 * @param {WebSocket} socket
 */
export function hangUp(socket) {
  if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
  else socket.close();
}

/** Milliseconds since 1970 on the service's clock, as far as its answers tell. */
export function serverNow() {
  return Date.now() + offset;
}

/**
 * Headers of a change.
 *
 * @param {Record<string, string>} [more]
 * @returns {Record<string, string>}
 */
export function headers(more = {}) {
  return csrf ? { ...more, "X-CSRF-Token": csrf } : more;
}

/**
 * Asks the service. Where that wants a login, the request waits for it and is made again: nothing is lost.
 *
 * @param {string} method
 * @param {string} path
 * @param {any} [body] Sent as JSON.
 * @param {{quiet?: boolean, patience?: number}} [how] `quiet`: a 401 is the caller's to answer; `patience`: milliseconds.
 * @returns {Promise<any>} The JSON of the answer, null without one.
 * @throws {Problem}
 */
export async function call(method, path, body, how) {
  if (how?.quiet) return taken(await sent(method, path, body, how));
  for (;;) {
    await admitted();
    const token = csrf;
    const response = await sent(method, path, body, how);
    const stale = response.status === 403 && method !== "GET"; // somebody has logged in anew in another tab, perhaps
    if (response.status !== 401 && !stale) return taken(response);
    await identify();
    if (stale && csrf === token) return taken(response);
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} body
 * @param {{patience?: number}} [how]
 * @returns {Promise<Response>}
 * @throws {Problem} There is none.
 */
async function sent(method, path, body, how) {
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(), how?.patience ?? PATIENCE);
  try {
    return await fetch(address(path), {
      method,
      headers: headers(body === undefined ? {} : { "Content-Type": "application/json" }),
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: ended.signal,
    });
  } catch {
    throw new Problem(0, "The service does not answer.");
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {Response} response
 * @returns {Promise<any>} See `call`.
 * @throws {Problem} It is no success.
 */
async function taken(response) {
  const date = Date.parse(response.headers.get("Date") ?? "");
  if (date) offset = Math.abs(date - Date.now()) > APART ? date - Date.now() : 0;
  const kind = response.headers.get("Content-Type") ?? "";
  const found = kind.includes("json") ? await response.json().catch(() => null) : null;
  if (response.ok) return found;
  throw new Problem(response.status, found?.detail ?? `The service answered ${response.status}.`);
}

/** @param {string} path */
export const get = (path) => call("GET", path);

/**
 * @param {string} path
 * @param {any} [body]
 */
export const post = (path, body) => call("POST", path, body);

/**
 * @param {string} path
 * @param {any} body
 */
export const patch = (path, body) => call("PATCH", path, body);

/** @param {string} path */
export const remove = (path) => call("DELETE", path);

/** @param {string} id A stream's, a job's or another name, for a path. */
export const part = (id) => encodeURIComponent(id);
