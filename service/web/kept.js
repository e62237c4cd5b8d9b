/** What this browser remembers of its user; nothing, where it is told to keep nothing of this page. */

/**
 * @param {string} name
 * @returns {string | null}
 */
export function kept(name) {
  try {
    return localStorage.getItem(`framewatch.${name}`);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function keep(name, value) {
  try {
    localStorage.setItem(`framewatch.${name}`, value);
  } catch {
    // then it holds as long as the page is open
  }
}
