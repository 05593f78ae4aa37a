/**
 * Checks models in the cache: a file beside each directory, `COMMIT.files.json`, has the digests of the hub. A file is read
 * again only if its inode, size or times are not those of its last check.
 * @module
 */
import { join } from "node:path";
import { isJsonObject, jsonObjectIn } from "@/lib/data/files/strict_json.ts";
import { statIfThere } from "@/lib/data/files/paths.ts";
import { publishFile } from "@/lib/data/files/publish.ts";
import { reading } from "@/lib/data/files/file_errors.ts";
import { digestOf, type HubFile } from "./hub_files.ts";

/** A file, and what it looked like when its digest was last checked. */
interface CheckedFile extends HubFile {
  readonly seen: string;
}

/** Returns the path of the digests of a directory of the cache. */
function digestsPath(directory: string): string {
  return `${directory}.files.json`;
}

/** Stores the digests of a directory, whose files were just checked. */
export async function storeDigests(directory: string, files: readonly HubFile[]): Promise<void> {
  await write(directory, files.map((file) => ({ ...file, seen: look(join(directory, file.name)) })));
}

/**
 * Returns what is wrong with the files of a directory, a line for each: missing, or not as downloaded. Undefined: no digests
 * are stored, as with models that older versions downloaded.
 */
export async function findDamage(directory: string): Promise<string[] | undefined> {
  const files = read(directory);
  if (files === undefined) return undefined;
  const damage: string[] = [], checked: CheckedFile[] = [];
  for (const file of files) {
    const path = join(directory, file.name), seen = look(path);
    if (seen !== "" && seen === file.seen) {
      checked.push(file);
      continue;
    }
    const found = seen === "" ? "no file" : digestOf(path, file.kind);
    if (found === file.digest) checked.push({ ...file, seen });
    else damage.push(`${path}: its ${file.kind} must be ${file.digest}, got ${found}`);
  }
  if (damage.length === 0 && checked.some(({ seen }, k) => seen !== files[k]!.seen)) {
    // A cache that cannot be written is checked again next time.
    await write(directory, checked).catch(() => {});
  }
  return damage;
}

function read(directory: string): CheckedFile[] | undefined {
  const path = digestsPath(directory);
  if (statIfThere(path) === undefined) return undefined;
  const files = jsonObjectIn(reading(path, () => Deno.readTextFileSync(path)))?.files;
  const isComplete = Array.isArray(files) && files.length > 0 &&
    files.every((file) =>
      isJsonObject(file) && [file.name, file.kind, file.digest, file.seen].every((v) => typeof v === "string")
    );
  return isComplete ? files as CheckedFile[] : undefined;
}

async function write(directory: string, files: readonly CheckedFile[]): Promise<void> {
  const text = JSON.stringify({ files }, null, 2);
  await publishFile(digestsPath(directory), (path) => Deno.writeTextFileSync(path, `${text}\n`));
}

/** Returns inode, size and times of a file as text, "" if there is none. */
function look(path: string): string {
  const stat = statIfThere(path);
  if (!stat?.isFile) return "";
  return [stat.dev, stat.ino, stat.size, stat.mtime?.getTime(), stat.ctime?.getTime()].join(" ");
}
