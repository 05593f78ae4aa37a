/**
 * The files of a repository as the hub lists them, checked: their number, names, sizes and digests come from outside.
 * @module
 */
import { type ListFileEntry, listFiles } from "@huggingface/hub";
import { createHash } from "node:crypto";
import { digestFile } from "@/lib/data/files/digest.ts";
import { reading } from "@/lib/data/files/file_errors.ts";
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { boundedFetch, SILENCE_MS } from "./bounded_fetch.ts";
import type { Hub } from "./hub_errors.ts";

/** A file of a repository. */
export interface HubFile {
  readonly name: string;
  readonly bytes: number;
  /** git's digest is SHA-1 over `blob <bytes>\0` and the content */
  readonly kind: DigestKind;
  /** lower-case hexadecimal */
  readonly digest: string;
}

/** How the hub states the content of a file: SHA-256 of large ones, git's digest of the others. */
export type DigestKind = "SHA-256" | "git digest";

/** Bytes of a reply with JSON, milliseconds for one, and files in a list. */
const REPLY_BYTES = 2 ** 25, REPLY_MS = 300_000, MOST_FILES = 100_000;

/** Bytes of weights, and of any other file: those are read into memory as a whole. */
const WEIGHTS_BYTES = 2 ** 42, TEXT_BYTES = 2 ** 27;

const CHUNK_BYTES = 2 ** 20;

/** Bytes of a file of a data set, which is read into memory as a whole. */
const DATA_BYTES = 2 ** 31;

const NAME = /^\w[\w.+-]{0,200}$/;
/** Files of data sets are in folders. */
const DATA_NAME = /^(?:\w[\w.+-]{0,100}\/){0,3}\w[\w.+-]{0,200}$/;

/** Returns access to the hub's JSON for functions of `@huggingface/hub`, with limits. */
export function access(hub: Hub): {
  readonly hubUrl: string;
  readonly fetch: typeof fetch;
  readonly accessToken?: string;
} {
  const { endpoint, token, reference } = hub, what = `Cannot download ${reference.text}: ${endpoint}`;
  const bounded = boundedFetch({
    what,
    bytes: REPLY_BYTES,
    limit: `${REPLY_BYTES / 2 ** 20} MiB of JSON`,
    silenceMs: hub.silenceMs ?? SILENCE_MS,
    totalMs: REPLY_MS,
  });
  return {
    hubUrl: endpoint,
    ...(token !== undefined && { accessToken: token }),
    fetch: (input, init) => {
      // The address of a list's next page is a header of the hub; the token is sent with it.
      const { origin } = new URL(input instanceof Request ? input.url : input);
      if (origin === new URL(endpoint).origin) return bounded(input, init);
      throw new DataError(`${what} must list files at its own address, got ${origin}`);
    },
  };
}

/**
 * Returns the entries of the files of a repository by name: of a model at its root, of a data set in its folders too. Those with
 * unusual names are left out.
 * @throws {DataError} for more than 100,000 entries
 */
export async function listedFiles(hub: Hub, commit: string): Promise<Map<string, ListFileEntry>> {
  const { kind, name, text } = hub.reference, files = new Map<string, ListFileEntry>();
  const isDataset = kind === "dataset", names = isDataset ? DATA_NAME : NAME;
  const list = listFiles({
    repo: { type: kind, name },
    recursive: isDataset,
    revision: commit,
    ...access(hub),
  });
  let count = 0;
  for await (const entry of list) {
    if (++count > MOST_FILES) throw new DataError(`${text} must have at most ${MOST_FILES} files, got more`);
    if (!isJsonObject(entry)) throw new DataError(`Files of ${text} must be objects, got ${shown(entry)}`);
    if (entry.type === "file" && names.test(String(entry.path))) files.set(entry.path, entry);
  }
  return files;
}

/**
 * Returns size and digest of a file that is to be downloaded.
 * @throws {DataError} for a size that is too large (4 TiB of weights, 2 GiB of data, 128 MiB of another file), or a digest that is none
 */
export function checkedFile(entry: ListFileEntry, { kind: repository, text }: Hub["reference"]): HubFile {
  const { path: name, lfs } = entry, file = `${name} of ${text}`;
  const bytes: unknown = lfs ? lfs.size : entry.size;
  const most = repository === "dataset"
    ? DATA_BYTES
    : name.endsWith(".safetensors")
    ? WEIGHTS_BYTES
    : TEXT_BYTES;
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0 || bytes > most) {
    throw new DataError(`${file} must have between 0 and ${most} bytes, got ${shown(bytes)}`);
  }
  const kind = lfs ? "SHA-256" : "git digest", digits = lfs ? 64 : 40;
  const digest = String(lfs ? lfs.oid : entry.oid).replace(/^sha256:/, "");
  if (digest.length !== digits || !/^[0-9a-f]+$/.test(digest)) {
    throw new DataError(`${file}: its ${kind} must be ${digits} hexadecimal digits, got ${shown(digest)}`);
  }
  return { name, bytes, kind, digest };
}

/** Returns the digest of a file of the kind that the hub states. @throws {DataError} if it cannot be read */
export function digestOf(path: string, kind: DigestKind): string {
  if (kind === "SHA-256") return digestFile(path);
  return reading(path, () => {
    using file = Deno.openSync(path, { read: true });
    const hash = createHash("sha1").update(`blob ${file.statSync().size}\0`);
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let n = file.readSync(chunk); n !== null; n = file.readSync(chunk)) {
      hash.update(chunk.subarray(0, n));
    }
    return hash.digest("hex");
  });
}

/** Returns the beginning of a value from outside, in quotes where it is a text. */
export function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 100);
}
