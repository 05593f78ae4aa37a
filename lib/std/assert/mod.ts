/**
 * Local stand-in for `jsr:@std/assert`: the part of its surface that this project uses, over `node:assert/strict`.
 * deno.json `links` points here because JSR is not reachable everywhere; delete the link to use the original.
 * @module
 */
import nodeAssert from "node:assert/strict";

/** Throws unless `condition` is truthy. */
export function assert(condition: unknown, message?: string): asserts condition {
  nodeAssert.ok(condition, message);
}

/** Throws unless `actual` and `expected` are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.deepStrictEqual(actual, expected, message);
}

/** Throws if `actual` and `expected` are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.notDeepStrictEqual(actual, expected, message);
}

/** Throws unless |actual − expected| ≤ tolerance. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance = 1e-7,
  message?: string,
): void {
  const close = Math.abs(actual - expected) <= tolerance || Object.is(actual, expected);
  nodeAssert.ok(close, message ?? `${actual} is not within ${tolerance} of ${expected}`);
}

/** Throws unless `text` contains `part`. */
export function assertStringIncludes(text: string, part: string, message?: string): void {
  nodeAssert.ok(text.includes(part), message ?? `"${text}" does not contain "${part}"`);
}

/** Throws unless `text` matches `pattern`. */
export function assertMatch(text: string, pattern: RegExp, message?: string): void {
  nodeAssert.match(text, pattern, message);
}

// deno-lint-ignore no-explicit-any -- the signature of the original
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

function check<E extends Error>(error: unknown, kind?: ErrorClass<E>, includes?: string): E {
  nodeAssert.ok(error instanceof (kind ?? Error), `threw ${error}, which is no ${kind?.name ?? "Error"}`);
  if (includes !== undefined) assertStringIncludes(error.message, includes);
  return error as E;
}

/** Throws unless `fn` throws; returns what it threw. `includes` must be part of the message. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  kind?: ErrorClass<E>,
  includes?: string,
): E {
  try {
    fn();
  } catch (error) {
    return check(error, kind, includes);
  }
  throw new nodeAssert.AssertionError({ message: "the function did not throw" });
}

/** Throws unless the promise of `fn` rejects; returns what it rejected with. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  kind?: ErrorClass<E>,
  includes?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return check(error, kind, includes);
  }
  throw new nodeAssert.AssertionError({ message: "the promise did not reject" });
}
