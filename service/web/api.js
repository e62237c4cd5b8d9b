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
let refused = () => {};

/** @param {string} token Goes with every change that relies on the cookie. */
export function useToken(token) {
  csrf = token;
}

/** @param {() => void} listener Called when the service wants a login. */
export function onRefused(listener) {
  refused = listener;
}

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
 * Asks the service.
 *
 * @param {string} method
 * @param {string} path
 * @param {any} [body] Sent as JSON.
 * @param {{quiet?: boolean, patience?: number}} [how] `quiet`: a 401 is the caller's to answer; `patience`: milliseconds.
 * @returns {Promise<any>} The JSON of the answer, null without one.
 * @throws {Problem}
 */
export async function call(method, path, body, how) {
  /** @type {Response} */
  let response;
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(), how?.patience ?? PATIENCE);
  try {
    response = await fetch(address(path), {
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
  const date = Date.parse(response.headers.get("Date") ?? "");
  if (date) offset = Math.abs(date - Date.now()) > APART ? date - Date.now() : 0;
  const kind = response.headers.get("Content-Type") ?? "";
  const found = kind.includes("json") ? await response.json().catch(() => null) : null;
  if (response.ok) return found;
  if (response.status === 401 && !how?.quiet) refused();
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
