/**
 * Downloads one file from the hub. The bytes of an earlier attempt are kept and the others requested; the file gets its name
 * after its digest is checked. No more bytes are written than the hub's list of files states.
 * @module
 */
import { downloadFile } from "@huggingface/hub";
import { dirname, join } from "node:path";
import { writing } from "@/lib/data/files/file_errors.ts";
import { statIfThere } from "@/lib/data/files/paths.ts";
import { DataError, UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { boundedFetch, SILENCE_MS, TooSlowError } from "./bounded_fetch.ts";
import { type Hub, hubError } from "./hub_errors.ts";
import { digestOf, type HubFile } from "./hub_files.ts";
import { checkFreeSpace } from "./free_space.ts";

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

/** Attempts for a file in one run, each of which must add bytes. */
const ATTEMPTS = 100;

/** Bytes of a reply that says why a request failed. */
const REASON_BYTES = 2 ** 20;

/** Free disk is compared with what is left to write each time so many bytes are written. */
const CHECKED_BYTES = 2 ** 28;

/**
 * Downloads `file` of a repository into `folder`, unless it is there with the right digest. Resumes after a broken connection
 * as long as each attempt adds bytes.
 * @param commit the commit of the file
 * @throws {DataError} if the hub sends more bytes than it lists, or others; they are removed, so that another run starts again
 * @throws {TryAgainError} if the disk is full
 * @throws {UnavailableError} if the hub does not respond
 */
export async function fetchFile(
  hub: Hub,
  commit: string,
  file: HubFile,
  folder: string,
  onStart: (start: FileStart) => void,
): Promise<void> {
  const { name, bytes, kind, digest } = file;
  const path = join(folder, name), partial = `${path}.incomplete`;
  writing(folder, () => Deno.mkdirSync(dirname(path), { recursive: true }));
  if (sizeOf(path) === bytes && statIfThere(path)?.isFile && digestOf(path, kind) === digest) return;
  if (sizeOf(partial) > bytes) Deno.removeSync(partial);
  checkFreeSpace(folder, bytes - sizeOf(partial), `${name} of ${hub.reference.text}`);
  onStart({ name, bytes, here: sizeOf(partial) });
  let furthest = -1, attempts = 0;
  for (let here = sizeOf(partial); here < bytes; here = sizeOf(partial)) {
    const failure = await append(hub, commit, file, { partial, here });
    if (failure && (here <= furthest || !(failure instanceof UnavailableError))) throw failure;
    if (++attempts === ATTEMPTS && sizeOf(partial) < bytes) {
      throw new UnavailableError(
        `Cannot download ${name} of ${hub.reference.text}: the connection broke ${ATTEMPTS} times (run again to resume)`,
      );
    }
    furthest = Math.max(furthest, here);
  }
  if (bytes === 0) Deno.writeFileSync(partial, new Uint8Array());
  const found = digestOf(partial, kind);
  if (found !== digest) {
    Deno.removeSync(partial);
    const what = `${name} of ${hub.reference.text}`;
    throw new DataError(`${what}: its ${kind} must be ${digest}, got ${found}`, { file: path });
  }
  Deno.renameSync(partial, path);
}

/** A file that is being written. */
interface Partial {
  /** its path */
  readonly partial: string;
  /** bytes written so far */
  readonly here: number;
}

/** Requests the bytes from `here` on and appends them; returns why the download is incomplete, if it is. */
async function append(
  hub: Hub,
  commit: string,
  { name, bytes }: HubFile,
  { partial, here }: Partial,
): Promise<Error | undefined> {
  const { endpoint, token, reference, silenceMs = SILENCE_MS } = hub;
  const what = `Cannot download ${name} of ${reference.text}`;
  const limits = { what: `${what}: ${endpoint}`, silenceMs };
  const part = boundedFetch({ ...limits, bytes: bytes - here, limit: `the listed ${bytes} bytes` });
  const reason = boundedFetch({ ...limits, bytes: REASON_BYTES, limit: `${REASON_BYTES} bytes of JSON` });
  // For errors of a stream, the library keeps the message only.
  let refusal: Error | undefined;
  const note = (error: unknown) => {
    if (error instanceof DataError || error instanceof UnavailableError) refusal = error;
  };
  try {
    const blob = await downloadFile({
      repo: { type: reference.kind, name: reference.name },
      path: name,
      revision: commit,
      hubUrl: endpoint,
      // Xet chunks come from other hosts and cannot be resumed; the same files are available whole.
      xet: false,
      ...(token !== undefined && { accessToken: token }),
      fetch: (input, init) =>
        (isProbe(init) ? probe(reason, input, init) : fetchPart(part, input, init, partial, note)).catch(
          (error) => {
            note(error);
            throw error;
          },
        ),
    });
    if (blob === null) throw new UnavailableError(`${what}: listed by the hub, but not found`);
    if (blob.size !== bytes) {
      throw new DataError(
        `${what}: ${endpoint} must send the listed ${bytes} bytes, got ${blob.size} announced`,
      );
    }
    await appendTo(partial, blob.slice(here, bytes).stream(), () => {
      checkFreeSpace(partial, bytes - sizeOf(partial), `${name} of ${reference.text}`);
    });
    // After a break, the rest is requested again; of a slow hub it would come as slowly.
    if (refusal instanceof DataError || refusal instanceof TooSlowError) throw refusal;
    if (sizeOf(partial) > here) return undefined;
    throw refusal ?? new UnavailableError(`${what}: ${endpoint} sent no bytes`);
  } catch (cause) {
    // Bytes that were sent together with others beyond the announced ones are not a part of the file.
    if (refusal instanceof DataError && sizeOf(partial) > here) Deno.removeSync(partial);
    if (refusal !== undefined) throw refusal;
    return hubError(hub, `${name} of `, cause);
  }
}

function isProbe(init: RequestInit | undefined): boolean {
  return new Headers(init?.headers).get("Range") === PROBE;
}

/** Requests a file's size. The library reads the body of a failure only; any other is cancelled. */
async function probe(
  bounded: typeof fetch,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  const response = await bounded(input, init);
  if (response.ok) await response.body?.cancel();
  return response;
}

/**
 * `fetch` that refuses a whole file in place of a part, which would be appended to the partial file, and that ends a body
 * where its connection broke, since an error in a stream would discard the bytes received before.
 * @param note called with what ended a body
 * @throws {UnavailableError} for a whole file; the partial file is removed, since it cannot be resumed
 */
async function fetchPart(
  bounded: typeof fetch,
  input: string | URL | Request,
  init: RequestInit | undefined,
  partial: string,
  note: (error: unknown) => void,
): Promise<Response> {
  const response = await bounded(input, init);
  if (!response.ok) return response;
  if (new Headers(init?.headers).get("Range") === null || response.status !== 200) {
    return new Response(endingAtBreak(response.body, note), {
      status: response.status,
      headers: response.headers,
    });
  }
  await response.body?.cancel();
  Deno.removeSync(partial);
  throw new UnavailableError(
    `Cannot resume ${partial}: the hub must send parts of files, got the whole file (run again to start over)`,
  );
}

function endingAtBreak(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  note: (error: unknown) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> | null {
  if (body === null) return null;
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read().catch((error) => {
        note(error);
        return { done: true, value: undefined };
      });
      if (done || value === undefined) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** Appends a stream to a file, and calls `check` now and then. @throws {TryAgainError} if the disk is full */
async function appendTo(
  path: string,
  stream: ReadableStream<Uint8Array>,
  check: () => void,
): Promise<void> {
  using file = writing(path, () => Deno.openSync(path, { append: true, create: true }));
  let unchecked = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length;) at += writing(path, () => file.writeSync(chunk.subarray(at)));
    unchecked += chunk.length;
    if (unchecked < CHECKED_BYTES) continue;
    check();
    unchecked = 0;
  }
}

/** Returns the bytes of a file, 0 if it does not exist. */
function sizeOf(path: string): number {
  return statIfThere(path)?.size ?? 0;
}
