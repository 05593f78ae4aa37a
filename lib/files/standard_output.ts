/** What a program prints, whole: standard output may be a pipe that takes a part, or a file on a full disk. @module */
import { writeError } from "./file_errors.ts";

/**
 * Writes all of `text` to standard output.
 * @throws {TryAgainError} if it leads to a file on a full disk
 * @throws {UsageError} if nobody reads it any more
 */
export function printOut(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (cause) {
    throw outputError(cause);
  }
}

/** Why standard output cannot be written, in the project's words; other errors pass through unchanged. */
export function outputError(cause: unknown): unknown {
  return writeError("standard output", cause);
}
