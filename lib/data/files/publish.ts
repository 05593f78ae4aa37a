/**
 * Writes files and directories atomically: under a temporary name in the same directory, flushed to the disk, then renamed.
 * A process that dies before that leaves the old state and a `.…partial` entry.
 * @module
 */
import { basename, dirname, join } from "node:path";
import { codeOf, reading, writeError, writing } from "./file_errors.ts";

/**
 * Calls `write` with a temporary path, then renames the file to `path`, replacing an existing file. Creates missing
 * parent directories.
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the path cannot be written
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
 * Calls `fill` with a new temporary directory, then renames it to `path`. An existing directory is replaced (moved aside,
 * then removed).
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the path cannot be written
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
 * Makes `to` a hard link to the file `from`, or a copy where the file system has no hard links; never a symbolic link.
 * @throws {DataError} if `from` cannot be read
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if `to` cannot be written or already exists
 */
export function linkOrCopy(from: string, to: string): void {
  const { isSymlink } = reading(from, () => Deno.lstatSync(from));
  // A hard link to a symbolic link would be a symbolic link, so its target is copied.
  if (!isSymlink) {
    try {
      return Deno.linkSync(from, to);
    } catch (cause) {
      if (codeOf(cause) === "EEXIST") throw writeError(to, cause);
      // Otherwise (another device, no hard links, no permission to link) the file is copied.
    }
  }
  writing(to, () => Deno.copyFileSync(from, to));
}

/**
 * Links or copies every file of the directory `from` to the same place in the directory `to`, see `linkOrCopy()`. `to`
 * may exist, its files must not. Entries whose names begin with a dot are skipped.
 * @throws {DataError} if `from` cannot be read
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if a file cannot be written or already exists
 */
export function linkTree(from: string, to: string): void {
  const entries = reading(from, () => [...Deno.readDirSync(from)]);
  writing(to, () => Deno.mkdirSync(to, { recursive: true }));
  for (const { name, isDirectory } of entries) {
    if (name.startsWith(".")) continue;
    if (isDirectory) linkTree(join(from, name), join(to, name));
    else linkOrCopy(join(from, name), join(to, name));
  }
}

/** Calls `make` with a temporary path next to `path`, and removes what it made if it fails. */
async function publish(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = siblingOf(path);
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    await make(temporary);
    flushDirectory(dirname(path));
  } catch (cause) {
    removeQuietly(temporary);
    throw writeError(path, cause);
  }
}

/** Returns an unused path in the same directory, and so on the same file system. */
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

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch {
    // It was never made, or the error that is being reported also explains why it cannot be removed.
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

/** Flushes the names in a directory. Some systems cannot do that; a rename is atomic there as well. */
function flushDirectory(directory: string): void {
  try {
    flush(directory);
  } catch (cause) {
    const refused = cause instanceof Deno.errors.NotCapable ||
      ["EISDIR", "EACCES", "EPERM", "EINVAL", "EBADF", "ENOTSUP"].includes(codeOf(cause));
    if (!refused) throw cause;
  }
}
