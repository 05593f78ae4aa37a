/**
 * SHA-256 of bytes, files, directories and values, as 64 lower-case hexadecimal digits. `node:crypto` hashes twice as
 * fast here as WebCrypto does, and without a copy of the whole file in memory.
 * @module
 */
import { createHash } from "node:crypto";
import { DataError } from "@/lib/tensor/errors.ts";
import { canonicalJson } from "./canonical_json.ts";
import { readError } from "./file_errors.ts";

const CHUNK_BYTES = 1 << 22;

/** Digest and bytes of one file. */
export interface FileDigest {
  readonly digest: string;
  /** bytes */
  readonly size: number;
}

/** Digest of a directory and of each of its files, by path within it (`/` between the parts), sorted. */
export interface DirectoryDigest {
  readonly digest: string;
  readonly files: Readonly<Record<string, FileDigest>>;
}

/** Digest of bytes, or of the UTF-8 of a text. */
export function digestBytes(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Digest and bytes of a file that is made of `parts`. */
export function digestParts(parts: Iterable<Uint8Array>): FileDigest {
  const hash = createHash("sha256");
  let size = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += CHUNK_BYTES) hash.update(part.subarray(at, at + CHUNK_BYTES));
    size += part.length;
  }
  return { digest: hash.digest("hex"), size };
}

/** Digest of the canonical JSON of a plain value. */
export function digestJson(value: unknown): string {
  return digestBytes(canonicalJson(value));
}

/**
 * Digest of a file's bytes.
 * @throws {DataError} if it cannot be read
 */
export function digestFile(path: string): string {
  return fileDigest(path).digest;
}

/**
 * Digest of a directory: that of the lines `<digest>  <path>\n` of its files in the order of their paths, so that
 * names and content count, and times, owners and empty directories do not. `sha256sum` prints the same lines. Entries
 * whose names begin with a dot (`.git`, `.cache`) are left out. A link to a file counts as the file (a Hugging Face
 * cache is made of such links).
 * @param known files whose digests are known already, by path within it: they need not lie there
 * @throws {DataError} if a file cannot be read, or an entry is neither file nor directory
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
 * Digest of the files `paths` of a directory, sorted: that of a directory which holds nothing else.
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
  try {
    using file = Deno.openSync(path, { read: true });
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let n = file.readSync(chunk); n !== null; n = file.readSync(chunk)) {
      hash.update(chunk.subarray(0, n));
      size += n;
    }
  } catch (cause) {
    throw readError(path, cause);
  }
  return { digest: hash.digest("hex"), size };
}

/** Adds the paths of all files below `root/prefix`, relative to `root`. */
function listFiles(root: string, prefix: string, into: string[]): void {
  const here = prefix === "" ? root : `${root}/${prefix}`;
  try {
    for (const entry of Deno.readDirSync(here)) {
      if (entry.name.startsWith(".")) continue;
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory) listFiles(root, path, into);
      else if (entry.isFile || Deno.statSync(`${root}/${path}`).isFile) into.push(path);
      else {
        throw new DataError(
          `Cannot read ${root} as it must hold files and directories only: ${path} is neither, or a link to a directory`,
          { file: `${root}/${path}` },
        );
      }
    }
  } catch (cause) {
    throw readError(here, cause);
  }
}
