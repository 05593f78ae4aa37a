/**
 * Files and directories that appear whole or not at all: written beside their place under a name of their own, flushed
 * to the disk, then renamed. A process that dies on the way leaves the old state and a `.…partial` entry.
 * @module
 */
import { basename, dirname, join } from "node:path";
import { codeOf, readError, writeError } from "./file_errors.ts";

/**
 * Lets `write` make a file at a temporary path, then puts it at `path`, over what may be there. Missing parent
 * directories are made.
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the place cannot be written
 */
export async function publishFile(
  path: string,
  write: (temporaryPath: string) => Promise<void> | void,
): Promise<void> {
  await publish(path, async (temporary) => {
    await write(temporary);
    flush(temporary);
    Deno.renameSync(temporary, path);
  });
}

/**
 * Lets `fill` put files into a new temporary directory, then puts that at `path`. A directory that is there already is
 * replaced (moved aside, then removed).
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the place cannot be written
 */
export async function publishDirectory(
  path: string,
  fill: (temporaryDirectory: string) => Promise<void> | void,
): Promise<void> {
  await publish(path, async (temporary) => {
    Deno.mkdirSync(temporary);
    await fill(temporary);
    flushTree(temporary);
    replaceDirectory(temporary, path);
  });
}

/**
 * Gives the file `from` a second name `to`: a hard link where the file system can, else a copy; never a symbolic link.
 * @throws {DataError} if `from` cannot be read
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if `to` cannot be written or exists already
 */
export function linkOrCopy(from: string, to: string): void {
  let isLink: boolean;
  try {
    isLink = Deno.lstatSync(from).isSymlink;
  } catch (cause) {
    throw readError(from, cause);
  }
  // A hard link to a symbolic link would be one more symbolic link, so its target is copied.
  if (!isLink) {
    try {
      return Deno.linkSync(from, to);
    } catch (cause) {
      if (codeOf(cause) === "EEXIST") throw writeError(to, cause);
      // Anything else (another device, a file system without links, no permission to link): a copy will do.
    }
  }
  try {
    Deno.copyFileSync(from, to);
  } catch (cause) {
    throw writeError(to, cause);
  }
}

/**
 * Gives every file of the directory `from` a second name at the same place in the directory `to`, as `linkOrCopy()`
 * does. `to` may exist, its files must not. Entries whose names begin with a dot are left out.
 * @throws {DataError} if `from` cannot be read
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if a file cannot be written or exists already
 */
export function linkTree(from: string, to: string): void {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(from)];
  } catch (cause) {
    throw readError(from, cause);
  }
  try {
    Deno.mkdirSync(to, { recursive: true });
  } catch (cause) {
    throw writeError(to, cause);
  }
  for (const { name, isDirectory } of entries) {
    if (name.startsWith(".")) continue;
    if (isDirectory) linkTree(join(from, name), join(to, name));
    else linkOrCopy(join(from, name), join(to, name));
  }
}

/** Runs `make` with a path beside `path`, and removes what lies there if it fails. */
async function publish(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = siblingOf(path);
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    await make(temporary);
    flushDirectory(dirname(path));
  } catch (cause) {
    removeIfThere(temporary);
    throw writeError(path, cause);
  }
}

/** A path in the same directory, hence on the same file system, that nobody else uses. */
function siblingOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.partial`);
}

function replaceDirectory(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (cause) {
    if (!["ENOTEMPTY", "EEXIST"].includes(codeOf(cause))) throw cause;
    const old = siblingOf(to);
    Deno.renameSync(to, old);
    Deno.renameSync(from, to);
    Deno.removeSync(old, { recursive: true });
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch {
    // Either it was never made, or the error on its way to the caller says why nothing can be done here.
  }
}

function flushTree(directory: string): void {
  for (const entry of Deno.readDirSync(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) flushTree(path);
    else if (entry.isFile) flush(path);
  }
  flushDirectory(directory);
}

function flush(path: string): void {
  using file = Deno.openSync(path, { read: true });
  file.syncSync();
}

/** Makes the names in a directory last. Some systems cannot flush a directory; a rename is atomic there all the same. */
function flushDirectory(directory: string): void {
  try {
    flush(directory);
  } catch (cause) {
    const refused = cause instanceof Deno.errors.NotCapable ||
      ["EISDIR", "EACCES", "EPERM", "EINVAL", "EBADF", "ENOTSUP"].includes(codeOf(cause));
    if (!refused) throw cause;
  }
}
