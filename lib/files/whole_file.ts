/** Whole files in and out of memory, with errors that name the path. @module */
import { readError, writeError } from "./file_errors.ts";

/** Bytes that one write hands to the system; Linux takes no more than 2 GB at once. */
const CHUNK_BYTES = 1 << 26;

/**
 * All bytes of the file at `path`.
 * @throws {DataError} if it is not there or cannot be read
 */
export function readWholeFile(path: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(path);
  } catch (cause) {
    throw readError(path, cause);
  }
}

/**
 * Makes the file at `path` of `parts`, one after the other, without joining them in memory first. Replaces what is
 * there; for a replacement that is all or nothing see `publishFile()`.
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the path cannot be written
 */
export function writeWholeFile(path: string, parts: Iterable<Uint8Array>): void {
  try {
    using file = Deno.openSync(path, { write: true, create: true, truncate: true });
    for (const part of parts) writeAll(file, part);
  } catch (cause) {
    throw writeError(path, cause);
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at, at + CHUNK_BYTES));
}
