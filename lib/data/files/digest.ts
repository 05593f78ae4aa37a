/**
 * SHA-256 of bytes, files, directories and values, as 64 lower-case hexadecimal digits. `node:crypto` is twice as fast as
 * WebCrypto here and does not need the whole file in memory.
 * @module
 */
import { createHash } from "node:crypto";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { canonicalJson } from "./canonical_json.ts";
import { reading } from "./file_errors.ts";
import { checkRegular } from "./whole_file.ts";

const CHUNK_BYTES = 1 << 22;

/** Digest and size of one file. */
export interface FileDigest {
  readonly digest: string;
  /** bytes */
  readonly size: number;
}

/** Digest of a directory and of each of its files, by path within it (separated by `/`), sorted. */
export interface DirectoryDigest {
  readonly digest: string;
  readonly files: Readonly<Record<string, FileDigest>>;
}

/** Returns the digest of bytes, or of a text in UTF-8. */
export function digestBytes(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Returns digest and size of a file that consists of `parts`. */
export function digestParts(parts: Iterable<Uint8Array>): FileDigest {
  const hash = createHash("sha256");
  let size = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += CHUNK_BYTES) hash.update(part.subarray(at, at + CHUNK_BYTES));
    size += part.length;
  }
  return { digest: hash.digest("hex"), size };
}

/** Returns the digest of the canonical JSON of a plain value. */
export function digestJson(value: unknown): string {
  return digestBytes(canonicalJson(value));
}

/**
 * Returns the digest of a file.
 * @throws {DataError} if it cannot be read
 */
export function digestFile(path: string): string {
  return fileDigest(path).digest;
}

/**
 * Returns the digest of a directory: of the lines `<digest>  <path>\n` of its files, sorted by path. Names and content
 * count; times, owners and empty directories do not. `sha256sum` prints the same lines. Entries whose names begin with a
 * dot (`.git`, `.cache`) are skipped. A link to a file counts as the file (Hugging Face caches consist of such links).
 * @param known digests of files that need not be read, by path within the directory; these files need not exist there
 * @throws {DataError} if a file cannot be read, or an entry is neither a file nor a directory
 */
export function digestDirectory(
  directory: string,
  known: Readonly<Record<string, FileDigest>> = {},
): DirectoryDigest {
  const paths: string[] = [];
  listFiles(directory, "", paths);
  return digestFiles(directory, [...new Set([...paths, ...Object.keys(known)])].sort(), known);
}

/**
 * Returns the digest that a directory with only the files `paths` (sorted) would have.
 * @param known as for `digestDirectory()`
 * @throws {DataError} if a file cannot be read
 */
export function digestFiles(
  directory: string,
  paths: readonly string[],
  known: Readonly<Record<string, FileDigest>> = {},
): DirectoryDigest {
  const files = Object.fromEntries(
    paths.map((path) => [path, known[path] ?? fileDigest(`${directory}/${path}`)] as const),
  );
  const lines = paths.map((path) => `${files[path]!.digest}  ${path}\n`);
  return { digest: digestBytes(lines.join("")), files };
}

function fileDigest(path: string): FileDigest {
  const hash = createHash("sha256");
  let size = 0;
  reading(path, () => {
    checkRegular(path);
    using file = Deno.openSync(path, { read: true });
    // Most files are small, and a buffer is zeroed when it is made.
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, file.statSync().size + 1));
    for (let n = file.readSync(chunk); n !== null; n = file.readSync(chunk)) {
      hash.update(chunk.subarray(0, n));
      size += n;
    }
  });
  return { digest: hash.digest("hex"), size };
}

/** Adds the paths of all files below `root/prefix`, relative to `root`, to `into`. */
function listFiles(root: string, prefix: string, into: string[]): void {
  const here = prefix === "" ? root : `${root}/${prefix}`;
  reading(here, () => {
    for (const entry of Deno.readDirSync(here)) {
      if (entry.name.startsWith(".")) continue;
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory) listFiles(root, path, into);
      else if (entry.isFile || Deno.statSync(`${root}/${path}`).isFile) into.push(path);
      else {
        const problem = "must be a file or a directory (links to directories are not followed)";
        throw new DataError(`${root}/${path} ${problem}`, { file: `${root}/${path}` });
      }
    }
  });
}
