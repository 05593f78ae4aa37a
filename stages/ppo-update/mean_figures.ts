/** Means of figures that are not there in every update. @module */

/** Sums by name, each with its own count. */
export class MeanFigures {
  readonly #sums = new Map<string, { sum: number; count: number }>();

  /** Takes the figures of one update. */
  add(figures: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(figures)) {
      const entry = this.#sums.get(name);
      if (entry) {
        entry.sum += value;
        entry.count++;
      } else this.#sums.set(name, { sum: value, count: 1 });
    }
  }

  /** The means so far. */
  values(): Record<string, number> {
    return Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
  }
}
