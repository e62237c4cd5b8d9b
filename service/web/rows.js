/**
 * A list that is asked for again and again: a row stays as long as what it says does, so that nobody who reads it, has
 * the keyboard on it or is about to click it loses it.
 */

/**
 * @template T
 * @typedef {{element: HTMLElement, renew?: (item: T) => void}} Row `renew`: shows what changes all the time.
 */

/** @template T */
export class Rows {
  /**
   * @param {HTMLElement} list
   * @param {object} how
   * @param {(item: T) => string | number} how.key Tells one from the others.
   * @param {(item: T) => Row<T>} how.make
   * @param {(item: T) => unknown} [how.said] What a row is made of: where it is another one, the row is made anew.
   */
  constructor(list, { key, make, said = (item) => item }) {
    this.list = list;
    this.key = key;
    this.make = make;
    this.said = said;
    /** @type {Map<string | number, {said: string, row: Row<T>}>} */
    this.known = new Map();
  }

  /** @param {T[]} items In order. */
  show(items) {
    const { list, known } = this;
    const wanted = new Set(items.map(this.key));
    for (const [key, { row }] of known) {
      if (wanted.has(key)) continue;
      row.element.remove(); // before anything is put in its place: to move a row takes the keyboard from it
      known.delete(key);
    }
    items.forEach((item, place) => {
      const key = this.key(item);
      const said = JSON.stringify(this.said(item));
      const had = known.get(key);
      if (had?.said === said) had.row.renew?.(item);
      else {
        const row = this.make(item);
        known.set(key, { said, row });
        if (had) replace(had.row.element, row.element);
      }
      const { element } = /** @type {{row: Row<T>}} */ (known.get(key)).row;
      if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
    });
  }
}

/**
 * @param {HTMLElement} old
 * @param {HTMLElement} row Gets its place, and the keyboard if that was on it.
 */
function replace(old, row) {
  const places = (/** @type {HTMLElement} */ one) => /** @type {HTMLElement[]} */ ([...one.querySelectorAll("a, button")]);
  const held = places(old).findIndex((one) => one === document.activeElement);
  old.replaceWith(row);
  if (held >= 0) places(row)[held]?.focus({ preventScroll: true });
}
