/** What exists at a path. @module */
import { readError } from "./file_errors.ts";

/**
 * Returns the information about `path` (links followed), or undefined if nothing exists there. This is the project's only
 * check for missing files: a file that must exist is opened, and `readError()` words the failure.
 * @throws {DataError} if the file system refuses to tell
 */
export function statIfThere(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw readError(path, cause);
  }
}

/** Returns whether `path` is a file or a link to one. @throws {DataError} if the file system refuses to tell */
export function isFile(path: string): boolean {
  return statIfThere(path)?.isFile ?? false;
}

/** Returns whether `path` is a directory or a link to one. @throws {DataError} if the file system refuses to tell */
export function isDirectory(path: string): boolean {
  return statIfThere(path)?.isDirectory ?? false;
}

/** Returns whether there is a file, a directory or a link at `path`; a link to nothing counts. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw cause;
  }
}

/** Returns whether a caught error says that nothing exists at a path. */
export function isMissing(cause: unknown): boolean {
  return cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory;
}
