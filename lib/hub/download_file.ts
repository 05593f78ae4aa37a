/**
 * One file from the hub onto the disk: what an earlier attempt left is kept and the rest asked for, and nothing gets
 * its name before its digest is right.
 * @module
 */
import { downloadFile, type ListFileEntry } from "@huggingface/hub";
import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import { writeError } from "@/lib/files/file_errors.ts";
import { DataError, UnavailableError } from "@/lib/tensor/errors.ts";
import { type Hub, hubError } from "./hub_errors.ts";

/** What a download tells: once per file, before its first byte. */
export interface FileStart {
  readonly name: string;
  /** of the whole file */
  readonly bytes: number;
  /** of these, bytes that are here already */
  readonly here: number;
}

/** How the library asks for a file's size. */
const PROBE = "bytes=0-0";

const CHUNK_BYTES = 1 << 22;

/**
 * Puts `entry` of a repository into `folder`. A connection that breaks is taken up again for as long as each attempt
 * brings something.
 * @param commit the commit that the file is of
 * @throws {DataError} if the bytes are not those that the hub announced; they are removed, so that another run begins anew
 * @throws {UnavailableError} if the hub does not answer
 */
export async function fetchFile(
  hub: Hub,
  commit: string,
  entry: ListFileEntry,
  folder: string,
  onStart: (start: FileStart) => void,
): Promise<void> {
  const path = join(folder, entry.path), partial = `${path}.incomplete`;
  const bytes = entry.lfs?.size ?? entry.size;
  if (sizeOf(path) === bytes) return;
  if (sizeOf(partial) > bytes) Deno.removeSync(partial);
  onStart({ name: entry.path, bytes, here: sizeOf(partial) });
  let furthest = -1;
  for (let here = sizeOf(partial); here < bytes; here = sizeOf(partial)) {
    const failure = await append(hub, commit, entry.path, { partial, here, bytes });
    if (failure && (here <= furthest || !(failure instanceof UnavailableError))) throw failure;
    furthest = Math.max(furthest, here);
  }
  if (bytes === 0) Deno.writeFileSync(partial, new Uint8Array());
  const [kind, wanted] = entry.lfs ? ["SHA-256", bareDigest(entry.lfs.oid)] : ["git digest", entry.oid ?? ""];
  const found = digestOf(partial, entry.lfs ? createHash("sha256") : gitHash(bytes));
  if (found !== wanted) {
    Deno.removeSync(partial);
    throw new DataError(
      `Cannot take ${entry.path} of ${hub.reference.text} as its ${kind} must be ${wanted}: it is ${found}`,
      { file: path },
    );
  }
  Deno.renameSync(partial, path);
}

/** Asks for the bytes from `here` on and adds those that come; gives back why not all of them did. */
async function append(
  hub: Hub,
  commit: string,
  name: string,
  { partial, here, bytes }: { readonly partial: string; readonly here: number; readonly bytes: number },
): Promise<Error | undefined> {
  const { endpoint, token, reference } = hub;
  // Where a stream fails the library keeps the text of an error and not its class.
  let refusal: Error | undefined;
  try {
    const blob = await downloadFile({
      repo: { type: "model", name: reference.name },
      path: name,
      revision: commit,
      hubUrl: endpoint,
      // Its chunks come from other hosts and cannot be taken up in the middle; the same files are there whole.
      xet: false,
      ...(token !== undefined && { accessToken: token }),
      fetch: (input, init) =>
        fetchPart(input, init, partial).catch((error) => {
          if (error instanceof UnavailableError) refusal = error;
          throw error;
        }),
    });
    if (blob === null) {
      throw new UnavailableError(
        `Cannot download ${name} of ${reference.text} as it must be where the hub lists it: it is not`,
      );
    }
    using file = openToAppend(partial);
    for await (const chunk of blob.slice(here, bytes).stream()) {
      for (let at = 0; at < chunk.length;) at += writeChunk(file, partial, chunk.subarray(at));
    }
    if (sizeOf(partial) > here) return undefined;
    throw new UnavailableError(
      `Cannot download ${name} of ${reference.text} as ${endpoint} must send it: no byte came`,
    );
  } catch (cause) {
    if (refusal !== undefined) throw refusal;
    return hubError(hub, `${name} of `, cause);
  }
}

/**
 * `fetch` that takes no whole file for a part of it, which would be added to what is here, and that ends a body where
 * its connection broke: an error on the way through streams would throw away what had come.
 * @throws {UnavailableError} then; what is here is removed, as it cannot be gone on from
 */
async function fetchPart(
  input: string | URL | Request,
  init: RequestInit | undefined,
  partial: string,
): Promise<Response> {
  const response = await fetch(input, init);
  const range = new Headers(init?.headers).get("Range");
  if (!response.ok || range === PROBE) return response;
  if (range === null || response.status !== 200) {
    return new Response(endingAtBreak(response.body), { status: response.status, headers: response.headers });
  }
  await response.body?.cancel();
  Deno.removeSync(partial);
  throw new UnavailableError(
    `Cannot go on with ${partial} as the hub must send parts of files: it sent the whole (run again to begin anew)`,
  );
}

function endingAtBreak(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
): ReadableStream<Uint8Array<ArrayBuffer>> | null {
  if (body === null) return null;
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (done || value === undefined) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

function openToAppend(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { append: true, create: true });
  } catch (cause) {
    throw writeError(path, cause);
  }
}

function writeChunk(file: Deno.FsFile, path: string, chunk: Uint8Array): number {
  try {
    return file.writeSync(chunk);
  } catch (cause) {
    throw writeError(path, cause);
  }
}

/** Bytes of a file, 0 where there is none. */
function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** What git calls a file: SHA-1 over `blob <bytes>\0` and the content. */
function gitHash(bytes: number): Hash {
  return createHash("sha1").update(`blob ${bytes}\0`);
}

function bareDigest(oid: string): string {
  return oid.replace(/^sha256:/, "");
}

function digestOf(path: string, hash: Hash): string {
  using file = Deno.openSync(path);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let n = file.readSync(chunk); n !== null; n = file.readSync(chunk)) hash.update(chunk.subarray(0, n));
  return hash.digest("hex");
}
