/**
 * A local Hugging Face hub for tests: the requests of `@huggingface/hub`, large files behind a redirect, ranges of files,
 * tokens, and failures on demand.
 * @module
 */
import { createHash } from "node:crypto";

/** A repository and the behaviour of the hub. Tests may change it at any time. */
export interface FakeHub extends AsyncDisposable {
  readonly endpoint: string;
  /** content by path, at the commit */
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
  /** requests so far: method, path without the query, and the Range header if there is one */
  readonly requests: string[];
  commit: string;
  /** token required to read the repository; undefined: none */
  token?: string;
  /** bytes of a large file after which its connection breaks, each time */
  cutAfter?: number;
  /** time in ms between pieces of 64 KiB of a large file; undefined: none */
  pauseMs?: number;
  /** a range is answered with the whole file */
  ignoresRange?: boolean;
  /** sent instead of the files with these paths */
  readonly damaged: Map<string, Uint8Array<ArrayBuffer>>;
  /** what a hostile hub sends to a request; undefined: what it would send otherwise */
  hostile?: (path: string, range: string | null) => Response | undefined;
}

/** Files of at least this size are stored as with Git LFS. */
const LARGE = 4096;

/** Starts a hub with one repository, `org/tiny`, whose branch `main` is `commit`. */
export function fakeHub(files: Readonly<Record<string, Uint8Array<ArrayBuffer> | string>>): FakeHub {
  const encoded = Object.entries(files).map(([path, content]) =>
    [path, typeof content === "string" ? new TextEncoder().encode(content) : content] as const
  );
  const stop = new AbortController();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {}, signal: stop.signal },
    (request) => respond(hub, request),
  );
  const hub: FakeHub = {
    endpoint: `http://127.0.0.1:${server.addr.port}`,
    files: new Map(encoded),
    damaged: new Map(),
    requests: [],
    commit: "0123456789abcdef0123456789abcdef01234567",
    // A graceful shutdown waits for bodies that never end.
    [Symbol.asyncDispose]: () =>
      hub.hostile === undefined ? server.shutdown() : Promise.resolve(stop.abort()),
  };
  return hub;
}

function respond(hub: FakeHub, request: Request): Response {
  const { pathname } = new URL(request.url), range = request.headers.get("Range");
  hub.requests.push(`${request.method} ${pathname}${range === null ? "" : ` ${range}`}`);
  const hostile = hub.hostile?.(pathname, range);
  if (hostile !== undefined) return hostile;
  if (pathname.startsWith("/storage/")) return content(hub, pathname.slice("/storage/".length), range);
  if (hub.token !== undefined && request.headers.get("Authorization") !== `Bearer ${hub.token}`) {
    return Response.json({ error: "Invalid credentials" }, { status: 401 });
  }
  const api = /^\/api\/(?:models|datasets)\/org\/tiny\/(revision|tree)\/([^/]+)$/.exec(pathname);
  if (api && ["main", hub.commit].includes(api[2]!)) {
    return api[1] === "tree" ? Response.json([...hub.files].map(entryOf)) : Response.json({
      _id: "1",
      id: "org/tiny",
      sha: hub.commit,
      private: false,
      gated: false,
      downloads: 0,
      likes: 0,
      lastModified: "2026-01-01T00:00:00Z",
    });
  }
  const file = /^(?:\/datasets)?\/org\/tiny\/resolve\/([^/]+)\/(.+)$/.exec(pathname),
    bytes = hub.files.get(file?.[2] ?? "");
  if (file?.[1] !== hub.commit || bytes === undefined) {
    return Response.json({ error: "Repository not found" }, { status: 404 });
  }
  if (bytes.length < LARGE) return content(hub, file[2]!, range);
  return Response.redirect(`${hub.endpoint}/storage/${file[2]}`, 302);
}

function entryOf([path, bytes]: readonly [string, Uint8Array]): Record<string, unknown> {
  const git = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  if (bytes.length < LARGE) return { type: "file", path, size: bytes.length, oid: git };
  const lfs = { oid: createHash("sha256").update(bytes).digest("hex"), size: bytes.length, pointerSize: 134 };
  return { type: "file", path, size: bytes.length, oid: "0".repeat(40), lfs };
}

function content(hub: FakeHub, path: string, range: string | null): Response {
  const bytes = hub.damaged.get(path) ?? hub.files.get(path)!;
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  const isPart = from !== undefined && !(hub.ignoresRange && from !== "0");
  const part = isPart ? bytes.subarray(Number(from), Number(to) + 1) : bytes;
  const headers = {
    ETag: `"${path}"`,
    ...(isPart && { "Content-Range": `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}` }),
  };
  const status = isPart ? 206 : 200, cutAfter = hub.cutAfter ?? Infinity;
  if (bytes.length >= LARGE && hub.pauseMs !== undefined) {
    return new Response(inPieces(part, hub.pauseMs), { status, headers });
  }
  if (bytes.length < LARGE || part.length <= cutAfter) return new Response(part.slice(), { status, headers });
  // A body shorter than its Content-Length: the connection closes after it.
  const body = ReadableStream.from(cutAfter === 0 ? [] : [part.slice(0, cutAfter)]);
  return new Response(body, { status, headers: { ...headers, "Content-Length": String(part.length) } });
}

/**
 * Returns a body of up to `bytes` zeros in pieces of 1 MiB, without a length. Counts what is read from it.
 * @param sent counts the bytes
 */
export function endlessBody(bytes: number, sent: { bytes: number }): ReadableStream<Uint8Array<ArrayBuffer>> {
  const piece = new Uint8Array(2 ** 20);
  return new ReadableStream({
    pull(controller) {
      if (sent.bytes >= bytes) return controller.close();
      sent.bytes += piece.length;
      controller.enqueue(piece);
    },
  });
}

/** Returns a body that sends `first` and then nothing until its reader leaves. */
export function silentBody(first = ""): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(first));
    },
  });
}

/** Returns a body that sends a space every `pauseMs` without an end. */
export function dribblingBody(pauseMs: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      controller.enqueue(new TextEncoder().encode(" "));
    },
  });
}

/** Returns a stream of pieces of `bytes` with a pause before each. */
function inPieces(bytes: Uint8Array, pauseMs: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      if (at < bytes.length) controller.enqueue(bytes.slice(at, at += 1 << 16));
      else controller.close();
    },
  });
}
