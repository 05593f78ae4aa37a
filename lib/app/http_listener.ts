/**
 * The socket of the server, by node:http: `Deno.serve` waits without limit for the headers and the body of a request, so
 * that a few hundred slow connections would occupy every descriptor.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Readable } from "node:stream";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { SAFE_HEADERS } from "./request_guard.ts";

/** Where to listen, and for how long to wait. */
export interface ListenSettings {
  readonly host: string;
  /** 0: any free port */
  readonly port: number;
  /** time within which the headers of a request must arrive. Default 10 s */
  readonly headersMs?: number;
  /** time within which the whole request must arrive, its body included. Default 60 s */
  readonly requestMs?: number;
}

/** A listening socket. */
export interface HttpListener {
  readonly port: number;
  /** Refuses new connections, waits for responses for up to two seconds and then closes the rest. */
  readonly close: () => Promise<void>;
}

/** Limit of all headers of a request together, in bytes. */
const MAX_HEADER_BYTES = 16_384;
/** Limit of open connections; more are closed at once. */
const MAX_CONNECTIONS = 512;
const CLOSE_MS = 2000;

/**
 * Listens and responds with `respond`. A client that disconnects aborts the signal of its request and cancels the body of
 * its response. The URL of a request has
 * the port at which it arrived; its `Host` header is as sent.
 * @throws {UsageError} if the port is in use
 */
export async function listen(
  respond: (request: Request) => Response | Promise<Response>,
  { host, port, headersMs = 10_000, requestMs = 60_000 }: ListenSettings,
): Promise<HttpListener> {
  const limits = {
    headersTimeout: Math.min(headersMs, requestMs),
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(1000, headersMs / 2),
    maxHeaderSize: MAX_HEADER_BYTES,
    // The server's own check of the header has the better message.
    requireHostHeader: false,
  };
  const server = createServer(limits, (incoming, outgoing) => {
    exchange(respond, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("clientError", refuseRaw);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: Error & { code?: string }) => {
      const isTaken = error.code === "EADDRINUSE";
      reject(isTaken ? new UsageError(`Port ${port} of ${host} is in use by another process`) : error);
    });
    server.listen({ host, port }, resolve);
  });
  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([closed, new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_MS))]);
    clearTimeout(timer);
    server.closeAllConnections();
  }
  return { port: (server.address() as AddressInfo).port, close };
}

/** Responds to one request. */
async function exchange(
  respond: (request: Request) => Response | Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  incoming.on("error", () => {});
  outgoing.on("error", () => {});
  const { method = "GET", url: path = "" } = incoming, left = new AbortController();
  outgoing.once("close", () => outgoing.writableFinished || left.abort());
  const response = path.startsWith("/") && URL.canParse(`http://server${path}`)
    ? await respond(requestOf(incoming, method, path, left.signal))
    : new Response(null, { status: 400, headers: SAFE_HEADERS });
  // These belong to the connection, not to the response.
  for (const name of ["connection", "transfer-encoding"]) response.headers.delete(name);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body === null || method === "HEAD") {
    await response.body?.cancel();
    outgoing.end();
    return;
  }
  outgoing.flushHeaders();
  const reader = response.body.getReader();
  const gone = () => void reader.cancel().catch(() => {});
  outgoing.once("close", gone);
  if (outgoing.destroyed) gone();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (!outgoing.write(part.value)) await drained(outgoing);
  }
  outgoing.off("close", gone);
  outgoing.end();
}

function requestOf(incoming: IncomingMessage, method: string, path: string, signal: AbortSignal): Request {
  const headers = new Headers();
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!);
  }
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(`http://server:${incoming.socket.localPort}${path}`, {
    method,
    headers,
    signal,
    ...(hasBody && { body: Readable.toWeb(incoming) as ReadableStream<Uint8Array<ArrayBuffer>> }),
  });
}

/** Waits until the client has read what was written, or is gone. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (outgoing.destroyed) resolve();
    outgoing.once("drain", resolve);
    outgoing.once("close", resolve);
  });
}

/** Responds to what is not a request, or arrives too slowly, and closes the connection. */
function refuseRaw(error: Error & { code?: string }, connection: unknown): void {
  const socket = connection as Socket;
  if (!socket.writable) return;
  const status = error.code === "ERR_HTTP_REQUEST_TIMEOUT"
    ? "408 Request Timeout"
    : error.code === "HPE_HEADER_OVERFLOW"
    ? "431 Request Header Fields Too Large"
    : "400 Bad Request";
  const headers = Object.entries({ ...SAFE_HEADERS, "Connection": "close", "Content-Length": "0" });
  socket.end(`HTTP/1.1 ${status}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
}
