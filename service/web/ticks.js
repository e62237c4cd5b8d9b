/** Round times for an axis. */

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400];

/**
 * @param {number} start
 * @param {number} end Seconds.
 * @param {number} most How many fit.
 * @returns {number[]}
 */
export function ticks(start, end, most) {
  const span = end - start;
  const step = STEPS.find((one) => span / one <= Math.max(most, 1)) ?? span;
  const found = [];
  for (let time = Math.ceil(start / step) * step; time <= end; time += step) found.push(time);
  return found;
}
