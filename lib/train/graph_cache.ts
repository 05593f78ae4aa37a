/** Compiled graphs by key, so that networks of one architecture (policy, critic, reward members) share them. @module */

const cache = new Map<string, unknown>();

/** The graph under `key`, made on first use. */
export function cached<T>(key: string, make: () => T): T {
  let entry = cache.get(key) as T | undefined;
  if (entry === undefined) {
    entry = make();
    cache.set(key, entry);
  }
  return entry;
}

/** Drops everything: tests and benchmarks that measure compilation. */
export function clearGraphs(): void {
  cache.clear();
}
