/**
 * `fetch` with limits, since a hub may send anything: a reply has at most a number of bytes (after decompression), its
 * next byte must arrive within a time, and in that time at least {@linkcode LEAST_RATE} bytes a second.
 * @module
 */
import { DataError, UnavailableError } from "@/lib/compute/tensor/errors.ts";

/** Longest wait for a reply, and for its next byte, in milliseconds. */
export const SILENCE_MS = 60_000;

/** Least bytes a second, over the longest wait for a byte: a byte now and then would hold a download for ever. */
const LEAST_RATE = 1024;

/** A reply that keeps coming, but too slowly: another attempt would be as slow. */
export class TooSlowError extends UnavailableError {
  override name = "TooSlowError";
}

/** Limits of a reply. */
export interface ReplyLimits {
  /** what is downloaded and from where, for messages: `Cannot download config.json of hf:org/name: http://hub` */
  readonly what: string;
  /** bytes of the body */
  readonly bytes: number;
  /** why there are no more bytes, for messages: `the announced 1000 bytes` */
  readonly limit: string;
  /** milliseconds without a byte, and over which the rate is measured */
  readonly silenceMs: number;
  /** milliseconds for the whole reply; default: no limit */
  readonly totalMs?: number;
}

/**
 * Returns a `fetch` whose replies keep to `limits`. Its promise and its bodies fail with {@linkcode DataError} (exit code 65)
 * beyond the number of bytes and with {@linkcode UnavailableError} (69) after a time without a byte or with too few.
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
    const isTooSlow = slowness(silenceMs);
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        if (announced > bytes) return controller.error(refuse());
        const since = performance.now(), { done, value } = await inTime(reader.read());
        received += value?.length ?? 0;
        if (!done && isTooSlow(value.length, performance.now() - since)) {
          const error = new TooSlowError(
            `${what} must send at least ${LEAST_RATE} bytes per second, got fewer`,
          );
          clearTimeout(total);
          stop.abort(error);
          return controller.error(error);
        }
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

/**
 * Returns a function that takes the bytes of each read and the milliseconds that it was waited for, and returns whether
 * fewer than {@linkcode LEAST_RATE} bytes a second came in the last `windowMs` of waiting.
 */
function slowness(windowMs: number): (bytes: number, ms: number) => boolean {
  let sum = 0, waited = 0;
  return (bytes, ms) => {
    sum += bytes;
    waited += ms;
    if (waited < windowMs) return false;
    const isTooSlow = sum < LEAST_RATE * waited / 1000;
    sum = 0;
    waited = 0;
    return isTooSlow;
  };
}

/** Returns a response with the address of the one that it replaces, which `new Response()` cannot set. */
function withUrl(response: Response, url: string): Response {
  return Object.defineProperty(response, "url", { value: url });
}
