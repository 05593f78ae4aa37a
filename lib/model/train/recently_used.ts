/** A cache of bounded size. @module */

/** Values by key, at most `limit` of them: the least recently used value is dropped first. */
export class RecentlyUsed<V> {
  readonly #values = new Map<string, V>();

  constructor(readonly limit: number) {}

  /** Returns the value of `key`, created by `make` if there is none. */
  get(key: string, make: () => V): V {
    const value = this.#values.get(key) ?? make();
    this.#values.delete(key);
    this.#values.set(key, value); // keys of a Map are in the order of insertion
    if (this.#values.size > this.limit) this.#values.delete(this.#values.keys().next().value!);
    return value;
  }

  /** Drops all values. */
  clear(): void {
    this.#values.clear();
  }
}
