/** Reads and writes whole files, with errors that name the path. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { reading, writing } from "./file_errors.ts";

/** Limit of a file that is read as text or JSON: the longest string of the language is shorter than this. */
const MAX_TEXT_BYTES = 2 ** 29 - 24;
/** Limit of a file that is read whole: the largest buffer of the language is about twice as large. */
const MAX_FILE_BYTES = 2 ** 32;

/** Bytes of one write call; Linux accepts at most 2 GB. */
const CHUNK_BYTES = 1 << 26;

/**
 * Returns all bytes of the file at `path`.
 * @throws {DataError} if it does not exist, cannot be read, is no regular file or is larger than `maxBytes`
 */
export function readWholeFile(path: string, maxBytes = MAX_FILE_BYTES): Uint8Array<ArrayBuffer> {
  return reading(path, () => {
    checkRegular(path, maxBytes);
    return Deno.readFileSync(path);
  });
}

/**
 * Checks that `path` is a file, or a link to one, before it is opened: a device has no end, and opening a named pipe waits.
 * @throws {DataError} if it is anything else, or larger than `maxBytes`
 */
export function checkRegular(path: string, maxBytes = Infinity): void {
  const { isFile, isDirectory, size } = reading(path, () => Deno.statSync(path));
  if (!isFile && !isDirectory) {
    throw new DataError(`${path} must be a regular file, got a device, pipe or socket`, { file: path });
  }
  if (isFile && size > maxBytes) {
    throw new DataError(`${path} must have at most ${maxBytes} bytes, got ${size}`, { file: path });
  }
}

/**
 * Returns the text of a UTF-8 file, without its byte order mark.
 * @throws {DataError} if it does not exist, is no regular file, is larger than `maxBytes`, or is not UTF-8
 */
export function readText(path: string, maxBytes = MAX_TEXT_BYTES): string {
  const bytes = readWholeFile(path, maxBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const found = isUtf16(bytes) ? "UTF-16" : "other bytes";
    throw new DataError(`${path} must be UTF-8, got ${found}`, { file: path }, { cause });
  }
}

/** Returns whether bytes begin with the byte order mark of UTF-16. */
export function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/**
 * Writes `parts` one after the other to the file at `path`, without joining them in memory. Replaces an existing file; use
 * `publishFile()` for an atomic replacement.
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the path cannot be written
 */
export function writeWholeFile(path: string, parts: Iterable<Uint8Array>): void {
  writing(path, () => {
    using file = Deno.openSync(path, { write: true, create: true, truncate: true });
    for (const part of parts) {
      for (let at = 0; at < part.length;) at += file.writeSync(part.subarray(at, at + CHUNK_BYTES));
    }
  });
}
