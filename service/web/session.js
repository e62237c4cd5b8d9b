/** Who uses the page: nobody needs to say where keys are off; else a key is given once, and a cookie stands for it. */

import { call, useToken } from "./api.js";

/** @typedef {import("./types.js").Session} Session */

/**
 * @returns {Promise<Session | null>} null: a login is needed.
 * @throws {Problem}
 */
export async function whoAsks() {
  const session = await call("GET", "v1/session", undefined, { quiet: true });
  return session.scopes.length ? taken(session) : null;
}

/**
 * @param {string} key
 * @returns {Promise<Session>}
 * @throws {Problem}
 */
export async function login(key) {
  return taken(await call("POST", "v1/session", { key }, { quiet: true }));
}

export async function logout() {
  await call("DELETE", "v1/session");
  useToken("");
}

/** @param {Session} session */
function taken(session) {
  useToken(session.csrf);
  return session;
}
