/** Where in the page we are: it stands after the # of the address. */

/** @returns {string} What stands after `#/`. */
export const here = () => location.hash.replace(/^#\/?/, "");

/** @returns {URLSearchParams} What stands after the ? of it. */
export const query = () => new URLSearchParams(here().split("?")[1] ?? "");
