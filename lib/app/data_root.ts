/**
 * The one directory that the server lets requests name. A location is a path relative to it; what leads outside, by
 * `..`, as an absolute path or through a symbolic link, is refused before anything is read or written.
 *
 * The check looks at the file system as it is now. It does not guard against somebody who can swap a directory for a
 * link in the meantime: whoever may write into the data root from outside the server is trusted. Deno's own
 * permissions, which the serve task limits to the data root, stand behind it.
 * @module
 */
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
import { alternatives, isPattern, namedPaths, resolvePattern } from "@/lib/files/file_pattern.ts";
import { UsageError } from "@/lib/tensor/errors.ts";

/** Folder of the server's own below the data root: checkpoints of stopped runs. Requests cannot name it. */
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
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new UsageError(`Cannot serve "${path}" as the data root must be a directory: there is none`);
}

/**
 * The absolute path of a location. What need not exist yet is judged by its nearest ancestor that does.
 * @throws {UsageError} if the location is empty, leads outside the data root, or names the server's own folder
 */
export function resolveLocation(root: DataRoot, location: string): string {
  const path = join(root.path, location);
  const within = relative(root.path, path);
  if (
    location === "" || location.includes("\0") || isAbsolute(location) || within === "" || isOutside(within)
  ) {
    throw new UsageError(
      `Cannot use "${location}" as a location must be a path below the data root: it is not`,
    );
  }
  if (within.split(sep)[0] === PRIVATE_FOLDER) {
    throw new UsageError(
      `Cannot use "${location}" as ${PRIVATE_FOLDER}/ belongs to the server: choose another name`,
    );
  }
  const real = realPath(path);
  if (real === undefined || isOutside(relative(root.path, real))) {
    throw new UsageError(
      `Cannot use "${location}" as a location must stay below the data root: a link leads outside`,
    );
  }
  return path;
}

/**
 * `resolveLocation()` of data files, which a pattern may name: then the names of those that match, each of which must be a
 * location itself. A pattern that no file matches stays as it is.
 * @throws {UsageError} as `resolveLocation()`, or if a file that matches is no location
 */
export function resolveFiles(root: DataRoot, location: string): string {
  const path = resolveLocation(root, location);
  if (!isPattern(path)) return path;
  const check = (each: string) => resolveLocation(root, relative(root.path, each));
  alternatives(path).forEach(check);
  const files = resolvePattern(path);
  if (files !== path) namedPaths(files).forEach(check);
  return files;
}

function isOutside(within: string): boolean {
  return within === ".." || within.startsWith(`..${sep}`) || isAbsolute(within);
}

/**
 * `path` with every symbolic link resolved, also where its last parts do not exist. A link to nothing has no such
 * path: what is written through it would appear wherever it points.
 */
function realPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) throw error;
  }
  if (isLink(path)) return undefined;
  const parent = realPath(dirname(path));
  return parent === undefined ? undefined : join(parent, basename(path));
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch {
    return false;
  }
}
