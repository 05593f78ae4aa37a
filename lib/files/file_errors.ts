/**
 * What the operating system refuses, as errors of the project: which path, what was tried, and the exit code that
 * fits. The cause stays attached.
 * @module
 */
import { DataError, TryAgainError, UsageError } from "@/lib/tensor/errors.ts";

/** The short text for each refusal that a user can do something about. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or directory",
  ENOTDIR: "a part of the path is no directory",
  EISDIR: "it is a directory",
  EACCES: "its permissions forbid it",
  EPERM: "its permissions forbid it",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it exists already",
  ENOTEMPTY: "it exists already and is not empty",
};

/** What the system gave as its reason, in a few words. */
export function reasonOf(cause: unknown): string {
  if (cause instanceof Deno.errors.NotCapable) return "this program was started without permission for it";
  return REASONS[codeOf(cause)] ?? (cause instanceof Error ? cause.message : String(cause));
}

/** The system's name of a failure, such as `ENOSPC`; empty where it has none. */
export function codeOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** Why `path` cannot be read, as a DataError. An error of the project passes through unchanged. */
export function readError(path: string, cause: unknown): Error {
  if (cause instanceof DataError) return cause;
  return new DataError(
    `Cannot read ${path} as it must be a readable file: ${reasonOf(cause)}`,
    { file: path },
    { cause },
  );
}

/**
 * Why `path` cannot be written. A full disk is worth another try (exit code 75); anything else is a path that the
 * caller must change (exit code 64). Errors without a system's name, those of the project among them, pass through.
 */
export function writeError(path: string, cause: unknown): Error {
  const code = codeOf(cause);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new TryAgainError(`Cannot write ${path} as it needs free space: ${reasonOf(cause)}`, { cause });
  }
  if (cause instanceof Deno.errors.NotCapable || code !== "") {
    return new UsageError(`Cannot write ${path} as it must be writable: ${reasonOf(cause)}`, { cause });
  }
  return cause instanceof Error
    ? cause
    : new UsageError(`Cannot write ${path} as it must be writable: ${cause}`);
}

/**
 * A full disk as an error that names `place`, where something was being written; any other cause as it is. For the edges
 * of a program, where a refusal arrives that nobody closer to the file has put into words.
 */
export function diskError(place: string, cause: unknown): unknown {
  return ["ENOSPC", "EDQUOT"].includes(codeOf(cause)) ? writeError(place, cause) : cause;
}
