/** The newest scores of a stream, or all of a clip: columns of numbers, which charts read without making objects. */
export class Trace {
  /** @param {number} capacity Scores; then the oldest half makes room. */
  constructor(capacity) {
    this.length = 0;
    this.capacity = capacity;
    /** Seconds. */
    this.time = new Float64Array(capacity);
    /** NaN where there is none. */
    this.raw = new Float32Array(capacity);
    this.score = new Float32Array(capacity);
    this.smoothed = new Float32Array(capacity);
    /** 1: anomalous. */
    this.anomalous = new Uint8Array(capacity);
  }

  /**
   * @param {number} time Seconds.
   * @param {{raw: number | null, score: number | null, smoothed: number | null, state: string}} score
   */
  push(time, score) {
    if (this.length === this.capacity) this.drop(this.capacity >> 1);
    const n = this.length++;
    this.time[n] = time;
    this.raw[n] = score.raw ?? NaN;
    this.score[n] = score.score ?? NaN;
    this.smoothed[n] = score.smoothed ?? NaN;
    this.anomalous[n] = score.state === "anomalous" ? 1 : 0;
  }

  /** @param {number} count The oldest ones, to be forgotten. */
  drop(count) {
    for (const column of [this.time, this.raw, this.score, this.smoothed, this.anomalous]) {
      column.copyWithin(0, count, this.length);
    }
    this.length -= count;
  }

  clear() {
    this.length = 0;
  }

  /** @param {number} time The first place at or after it; times rise. */
  find(time) {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param {number} time The place next to it, -1 if there is none. */
  nearest(time) {
    if (!this.length) return -1;
    const after = Math.min(this.find(time), this.length - 1);
    return after > 0 && time - this.time[after - 1] < this.time[after] - time ? after - 1 : after;
  }
}
