/**
 * The only directory in which requests to the server may name files. A location is a path relative to it; one that leads
 * outside, by `..`, as an absolute path or through a symbolic link, is refused before anything is read or written.
 *
 * The check uses the current state of the file system. It does not protect against a directory that is replaced by a link
 * afterwards: everyone who may write into the data root from outside the server is trusted. Deno's own permissions, which
 * the serve task limits to the data root, are a second check.
 * @module
 */
import { exists, isMissing } from "@/lib/data/files/paths.ts";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
import { alternatives, isPattern, namedPaths, resolvingPattern } from "@/lib/data/files/file_pattern.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** Reserved directory below the data root: checkpoints of interrupted runs. Requests cannot name it. */
export const PRIVATE_FOLDER = ".srppo";

/** A directory with all symbolic links of its own path resolved. */
export type DataRoot = { readonly path: string };

/**
 * Opens a data root.
 * @throws {UsageError} if it is not a directory
 */
export function openDataRoot(path: string): DataRoot {
  try {
    const real = Deno.realPathSync(path);
    if (Deno.statSync(real).isDirectory) return { path: real };
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  throw new UsageError(`The data root must be a directory, got "${path}"`);
}

/**
 * Returns the absolute path of a location. For a path that does not exist, its nearest existing ancestor is checked.
 * @throws {UsageError} if the location is empty, leads outside the data root, or is reserved
 */
export function resolveLocation(root: DataRoot, location: string): string {
  const path = join(root.path, location);
  const within = relative(root.path, path);
  if (
    location === "" || location.includes("\0") || isAbsolute(location) || within === "" || isOutside(within)
  ) {
    throw new UsageError(`Location "${location}" must be a path below the data root`);
  }
  if (within.split(sep)[0] === PRIVATE_FOLDER) {
    throw new UsageError(`Location "${location}" must not be below ${PRIVATE_FOLDER}/, which is reserved`);
  }
  const real = realPath(path);
  if (real === undefined || isOutside(relative(root.path, real))) {
    throw new UsageError(`Location "${location}" must not lead outside the data root through a link`);
  }
  return path;
}

/**
 * Returns the absolute path of data files, and yields after every step. A pattern becomes the names of the files that match,
 * each of which must be a valid location; a pattern that matches no file is returned unchanged.
 * @throws {UsageError} as `resolveLocation()`
 */
export function* resolvingFiles(root: DataRoot, location: string): Generator<void, string> {
  const path = resolveLocation(root, location);
  if (!isPattern(path)) return path;
  function* check(paths: readonly string[]): Generator<void, void> {
    for (const each of paths) {
      resolveLocation(root, relative(root.path, each));
      yield;
    }
  }
  yield* check(alternatives(path));
  const files = yield* resolvingPattern(path);
  if (files !== path) yield* check(namedPaths(files));
  return files;
}

/** Returns whether a path relative to the data root leads out of it. */
export function isOutside(within: string): boolean {
  return within === ".." || within.startsWith(`..${sep}`) || isAbsolute(within);
}

/**
 * Returns `path` with every symbolic link resolved, also if its last parts do not exist. Undefined for a link to nothing:
 * a file written through it would appear wherever it points.
 */
export function realPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  if (exists(path)) return undefined;
  const parent = realPath(dirname(path));
  return parent === undefined ? undefined : join(parent, basename(path));
}
