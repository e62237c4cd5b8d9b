/** How long to wait before the next try: twice as long each time, with chance in it so that pages do not come at once. */
export class Backoff {
  /**
   * @param {number} first Milliseconds.
   * @param {number} most Milliseconds.
   */
  constructor(first = 500, most = 15_000) {
    this.first = first;
    this.most = most;
    this.tries = 0;
  }

  /** @returns {number} Milliseconds. */
  next() {
    const wait = Math.min(this.most, this.first * 2 ** this.tries);
    this.tries += 1;
    return wait * (0.5 + Math.random() / 2);
  }

  /** It worked. */
  reset() {
    this.tries = 0;
  }
}
