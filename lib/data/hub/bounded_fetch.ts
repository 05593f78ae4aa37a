/**
 * `fetch` with limits, since a hub may send anything: a reply has at most a number of bytes (after decompression), and its
 * next byte must arrive within a time.
 * @module
 */
import { DataError, UnavailableError } from "@/lib/compute/tensor/errors.ts";

/** Longest wait for a reply, and for its next byte, in milliseconds. */
export const SILENCE_MS = 60_000;

/** Limits of a reply. */
export interface ReplyLimits {
  /** what is downloaded and from where, for messages: `Cannot download config.json of hf:org/name: http://hub` */
  readonly what: string;
  /** bytes of the body */
  readonly bytes: number;
  /** why there are no more bytes, for messages: `the announced 1000 bytes` */
  readonly limit: string;
  /** milliseconds without a byte */
  readonly silenceMs: number;
  /** milliseconds for the whole reply; default: no limit */
  readonly totalMs?: number;
}

/**
 * Returns a `fetch` whose replies keep to `limits`. Its promise and its bodies fail with {@linkcode DataError} (exit code 65)
 * beyond the number of bytes and with {@linkcode UnavailableError} (69) after a time without a byte.
 */
export function boundedFetch(limits: ReplyLimits): typeof fetch {
  const { what, bytes, limit, silenceMs, totalMs } = limits;
  return async (input, init) => {
    const stop = new AbortController();
    const after = (ms: number, problem: string) =>
      setTimeout(() => stop.abort(new UnavailableError(`${what} ${problem}`)), ms);
    const total = totalMs === undefined
      ? undefined
      : after(totalMs, `must send its reply within ${totalMs / 1000} s, got a part of it`);
    /** Awaits one step of the reply; fails if it takes too long. */
    const inTime = async <T>(step: Promise<T>): Promise<T> => {
      const silence = after(silenceMs, `sent no bytes for ${silenceMs / 1000} s`);
      try {
        return await step;
      } catch (cause) {
        clearTimeout(total);
        throw stop.signal.aborted ? stop.signal.reason : cause;
      } finally {
        clearTimeout(silence);
      }
    };
    const response = await inTime(fetch(input, { ...init, signal: stop.signal }));
    const refuse = () => {
      const error = new DataError(`${what} must send at most ${limit}, got more`);
      clearTimeout(total);
      stop.abort(error);
      return error;
    };
    if (response.body === null) {
      clearTimeout(total);
      return response;
    }
    const reader = response.body.getReader(), announced = Number(response.headers.get("Content-Length") ?? 0);
    let received = 0;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        if (announced > bytes) return controller.error(refuse());
        const { done, value } = await inTime(reader.read());
        received += value?.length ?? 0;
        if (received > bytes) return controller.error(refuse());
        if (!done) return controller.enqueue(value);
        clearTimeout(total);
        controller.close();
      },
      cancel(reason) {
        clearTimeout(total);
        return reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
    return withUrl(new Response(body, { status: response.status, headers: response.headers }), response.url);
  };
}

/** Returns a response with the address of the one that it replaces, which `new Response()` cannot set. */
function withUrl(response: Response, url: string): Response {
  return Object.defineProperty(response, "url", { value: url });
}
