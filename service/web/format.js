/** Numbers and times as people read them. */

const NONE = "–";
const clockTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = /** @type {const} */ ({
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const dayTime = new Intl.DateTimeFormat(undefined, DAY);
const yearTime = new Intl.DateTimeFormat(undefined, { ...DAY, year: "numeric" });
const counted = new Intl.NumberFormat();

/**
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function number(value, digits = 2) {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : value.toFixed(digits);
}

/** @param {number} value */
export const count = (value) => counted.format(value);

/**
 * A length of time: "0.3 s", "12 s", "4 min", "2.5 h".
 *
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${seconds.toFixed(0)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** @param {string | number | null | undefined} when RFC 3339, or milliseconds since 1970. */
export const clock = (when) => (when ? clockTime.format(new Date(when)) : NONE);

/** @param {string | null | undefined} when RFC 3339. The year is said where it is not the present one. */
export function day(when) {
  if (!when) return NONE;
  const date = new Date(when);
  return (date.getFullYear() === new Date().getFullYear() ? dayTime : yearTime).format(date);
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(0)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/**
 * @param {number} howMany
 * @param {string} one
 * @param {string} [many]
 */
export const plural = (howMany, one, many = `${one}s`) => `${count(howMany)} ${howMany === 1 ? one : many}`;

/** @param {number} seconds A place in a clip: "1:02.4". */
export function place(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - minutes * 60).toFixed(1).padStart(4, "0")}`;
}
