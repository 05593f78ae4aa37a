/**
 * Functions on lists of any length. `Math.max(...values)` and `list.push(...items)` pass each item as an argument, and a call
 * with more than about 120,000 arguments is a stack overflow.
 * @module
 */

/** Returns the largest of `values` and `least`; -Infinity without any, NaN if one is NaN. */
export function largest(values: Iterable<number>, least = -Infinity): number {
  let found = least;
  for (const value of values) found = Math.max(found, value);
  return found;
}

/** Returns the smallest of `values`; Infinity without any, NaN if one is NaN. */
export function smallest(values: Iterable<number>): number {
  let found = Infinity;
  for (const value of values) found = Math.min(found, value);
  return found;
}

/** Adds `items` at the end of `list`. */
export function append<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}
