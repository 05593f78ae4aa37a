/**
 * Downloads one file from the hub. The bytes of an earlier attempt are kept and the others requested; the file gets its name
 * after its digest is checked.
 * @module
 */
import { downloadFile, type ListFileEntry } from "@huggingface/hub";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { digestFile } from "@/lib/data/files/digest.ts";
import { writing } from "@/lib/data/files/file_errors.ts";
import { statIfThere } from "@/lib/data/files/paths.ts";
import { readWholeFile } from "@/lib/data/files/whole_file.ts";
import { DataError, UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { type Hub, hubError } from "./hub_errors.ts";

/** Reported once per file, before its first byte. */
export interface FileStart {
  readonly name: string;
  /** size of the whole file */
  readonly bytes: number;
  /** bytes downloaded earlier */
  readonly here: number;
}

/** The range header with which the library requests a file's size. */
const PROBE = "bytes=0-0";

/**
 * Downloads `entry` of a repository into `folder`. Resumes after a broken connection as long as each attempt adds bytes.
 * @param commit the commit of the file
 * @throws {DataError} if the digest is not the one announced by the hub; the bytes are removed, so that another run starts
 *   again
 * @throws {UnavailableError} if the hub does not respond
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
  const [kind, required, found] = entry.lfs
    ? ["SHA-256", entry.lfs.oid.replace(/^sha256:/, ""), digestFile(partial)]
    : ["git digest", entry.oid ?? "", gitDigest(partial)];
  if (found !== required) {
    Deno.removeSync(partial);
    const file = `${entry.path} of ${hub.reference.text}`;
    throw new DataError(`${file}: its ${kind} must be ${required}, got ${found}`, { file: path });
  }
  Deno.renameSync(partial, path);
}

/** Requests the bytes from `here` on and appends them; returns why the download is incomplete, if it is. */
async function append(
  hub: Hub,
  commit: string,
  name: string,
  { partial, here, bytes }: { readonly partial: string; readonly here: number; readonly bytes: number },
): Promise<Error | undefined> {
  const { endpoint, token, reference } = hub;
  // For errors of a stream, the library keeps the message only.
  let refusal: Error | undefined;
  try {
    const blob = await downloadFile({
      repo: { type: "model", name: reference.name },
      path: name,
      revision: commit,
      hubUrl: endpoint,
      // Xet chunks come from other hosts and cannot be resumed; the same files are available whole.
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
        `Cannot download ${name} of ${reference.text}: listed by the hub, but not found`,
      );
    }
    await appendTo(partial, blob.slice(here, bytes).stream());
    if (sizeOf(partial) > here) return undefined;
    throw new UnavailableError(`Cannot download ${name} of ${reference.text}: ${endpoint} sent no bytes`);
  } catch (cause) {
    if (refusal !== undefined) throw refusal;
    return hubError(hub, `${name} of `, cause);
  }
}

/**
 * `fetch` that refuses a whole file in place of a part, which would be appended to the partial file, and that ends a body
 * where its connection broke, since an error in a stream would discard the bytes received before.
 * @throws {UnavailableError} for a whole file; the partial file is removed, since it cannot be resumed
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
    `Cannot resume ${partial}: the hub must send parts of files, got the whole file (run again to start over)`,
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

/** Appends a stream to a file. @throws {TryAgainError} if the disk is full */
async function appendTo(path: string, stream: ReadableStream<Uint8Array>): Promise<void> {
  using file = writing(path, () => Deno.openSync(path, { append: true, create: true }));
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length;) at += writing(path, () => file.writeSync(chunk.subarray(at)));
  }
}

/** Returns the bytes of a file, 0 if it does not exist. */
function sizeOf(path: string): number {
  return statIfThere(path)?.size ?? 0;
}

/** Returns git's digest of a file: SHA-1 over `blob <bytes>\0` and the content. */
function gitDigest(path: string): string {
  const bytes = readWholeFile(path);
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}
