/**
 * Failures of the operating system as errors of the project, with the path, the reason and the matching exit code. The
 * cause stays attached.
 * @module
 */
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";

/** Reasons that a user can act on, by the system's error code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "is a directory",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EEXIST: "already exists",
  ENOTEMPTY: "already exists and is not empty",
};

/** Returns the reason for a failure in a few words. */
export function reasonOf(cause: unknown): string {
  if (cause instanceof DataError && cause.cause !== undefined) return reasonOf(cause.cause);
  if (cause instanceof Deno.errors.NotCapable) return "this program was started without permission for it";
  return REASONS[codeOf(cause)] ?? (cause instanceof Error ? cause.message : String(cause));
}

/** Returns the system's code for a failure, such as `ENOSPC`, or "" if there is none. */
export function codeOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** Returns a DataError that says why `path` cannot be read. Errors of the project are returned unchanged. */
export function readError(path: string, cause: unknown): Error {
  if (cause instanceof DataError) return cause;
  return new DataError(`Cannot read ${path}: ${reasonOf(cause)}`, { file: path }, { cause });
}

/**
 * Returns an error that says why `path` cannot be written. A full disk may have space later (exit code 75); for any other
 * reason the caller must change the path (exit code 64). Errors without a system code are returned unchanged.
 */
export function writeError(path: string, cause: unknown): Error {
  if (isDiskFull(cause)) {
    return new TryAgainError(`Not enough disk space for ${path}: ${reasonOf(cause)}`, { cause });
  }
  const isSystem = cause instanceof Deno.errors.NotCapable || codeOf(cause) !== "";
  if (!isSystem && cause instanceof Error) return cause;
  return new UsageError(`Cannot write ${path}: ${reasonOf(cause)}`, { cause });
}

/** Returns the result of `read`; throws `readError()` if it fails. */
export function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw readError(path, cause);
  }
}

/** Returns the result of `write`; throws `writeError()` if it fails. */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    throw writeError(path, cause);
  }
}

/**
 * Returns a full disk as an error that names `place`, and any other cause unchanged. For the outermost level of a program,
 * which catches failures that no file operation has reported by path.
 */
export function diskError(place: string, cause: unknown): unknown {
  return isDiskFull(cause) ? writeError(place, cause) : cause;
}

function isDiskFull(cause: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(codeOf(cause));
}
