/** Writes to standard output completely: it may be a pipe that takes a part at a time, or a file on a full disk. @module */
import { codeOf, writeError, writing } from "./file_errors.ts";

const NAME = "standard output";

/**
 * Writes all of `text` to standard output.
 * @throws {TryAgainError} if it is a file on a full disk
 * @throws {UsageError} if the reader has closed it
 */
export function printOut(text: string): void {
  const bytes = new TextEncoder().encode(text);
  writing(NAME, () => {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  });
}

/** Returns whether an error says that the reader of the output has closed it. */
export function isBrokenPipe(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (codeOf(cause) === "EPIPE" || cause instanceof Deno.errors.BrokenPipe) return true;
  }
  return false;
}

/** Returns why standard output cannot be written; errors without a system code are returned unchanged. */
export function outputError(cause: unknown): unknown {
  return writeError(NAME, cause);
}
