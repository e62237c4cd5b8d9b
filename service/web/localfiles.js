/** Videos that were uploaded from this page: the service keeps scores, not videos, so they play from here. */

/** @type {Map<string, File>} */
const files = new Map();

/**
 * @param {string} job
 * @param {File} file
 */
export const keepFile = (job, file) => files.set(job, file);

/** @param {string} job */
export const fileOf = (job) => files.get(job);
