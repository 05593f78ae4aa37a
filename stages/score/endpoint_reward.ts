/**
 * An external reward by an HTTP endpoint. Request: `POST` with `{"rows":[{"id","prompt_id","prompt","response","meta","ended",
 * "reward"}, …]}`. Reply: `{"rewards":[number, …]}`, one for every row, in their order.
 *
 * A request to a busy, broken or unreachable endpoint is retried after a pause; other failures are not. Redirects are not
 * followed: a run may connect only to the host that its parameters name. A reply may have 1 MiB and 1 KiB per row.
 * @module
 */
import { setTimeout } from "node:timers/promises";
import { URL_TOKEN } from "@/lib/data/contracts/reached_hosts.ts";
import { checkStop } from "@/lib/data/contracts/stop.ts";
import { jsonObjectIn } from "@/lib/data/files/strict_json.ts";
import { DataError, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { checkedValues, type ExternalReward } from "./external_reward.ts";

/** The endpoint, and how often and how long requests are tried. */
export interface EndpointOptions {
  /** http or https */
  readonly url: string;
  /** sent as bearer token and never shown */
  readonly token?: string | undefined;
  /** longest duration of one attempt, the reply included */
  readonly timeoutMs: number;
  /** attempts per request */
  readonly attempts: number;
  /** rows per request; null: all rows */
  readonly batch: number | null;
  /** aborted if a stop is requested */
  readonly signal: AbortSignal;
  /** called with one line before each pause */
  readonly onRetry: (line: string) => void;
  /** waits between attempts, until `signal` is aborted at the latest. Default: by a timer */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A failed attempt. */
interface Failure {
  readonly what: string;
  /** whether the request is retried */
  readonly again: boolean;
  /** from the header Retry-After */
  readonly afterMs?: number;
}

/** First pause between attempts; each is twice the one before, or that of Retry-After, up to the longest. */
const FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 30_000;

/** Characters of a reply that a message shows. */
const SHOWN = 200;

/** Bytes of a reply: in total, and for each row; of one that says why a request failed. */
const REPLY_BYTES = 2 ** 20, ROW_BYTES = 2 ** 10, REASON_BYTES = 2 ** 16;

const TOO_LONG = Symbol("a reply beyond the limit");

/**
 * Returns the endpoint as a function of rows. The function throws {@linkcode UnavailableError} (exit code 69) if all attempts
 * fail, DataError (65) if the reply is not JSON with a finite number for every row, TryAgainError (75) on a stop.
 * @throws {UsageError} if the token cannot be sent in a header
 */
export function endpointReward(options: EndpointOptions): ExternalReward {
  const { token } = options;
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError(`${URL_TOKEN} must be printable ASCII without spaces (its value is not shown)`);
  }
  const name = withoutLogin(options.url);
  return async (rows) => {
    const values: number[] = [], size = options.batch ?? rows.length;
    for (let start = 0; start < rows.length; start += size) {
      const part = rows.slice(start, start + size);
      const mostBytes = REPLY_BYTES + part.length * ROW_BYTES;
      const reply = await request(JSON.stringify({ rows: part }), mostBytes, name, options);
      const rewards = jsonObjectIn(reply)?.rewards;
      if (rewards === undefined) {
        throw new DataError(
          `external reward ${name} must return a JSON object with "rewards", got ${shown(reply, token)}`,
          { file: name },
        );
      }
      for (const value of checkedValues(rewards, part, name)) values.push(value);
    }
    return values;
  };
}

/** Returns the text of the reply to a POST of `body`, after as many attempts as needed. */
async function request(
  body: string,
  mostBytes: number,
  name: string,
  options: EndpointOptions,
): Promise<string> {
  const { attempts, signal, onRetry, pause = byTimer } = options;
  for (let attempt = 1, wait = FIRST_PAUSE_MS;; attempt++, wait = Math.min(2 * wait, LONGEST_PAUSE_MS)) {
    checkStop(signal, "this iteration");
    const reply = await attemptOnce(body, mostBytes, options);
    if (typeof reply === "string") return reply;
    if (reply === TOO_LONG) {
      throw new DataError(`external reward ${name} must return at most ${mostBytes} bytes, got more`, {
        file: name,
      });
    }
    checkStop(signal, "this iteration");
    const { what, again, afterMs = 0 } = reply;
    if (!again || attempt === attempts) {
      const tried = again && attempts > 1 ? ` (${attempts} attempts)` : "";
      throw new UnavailableError(`Request to external reward ${name} failed: ${what}${tried}`);
    }
    const ms = Math.min(Math.max(wait, afterMs), LONGEST_PAUSE_MS);
    const next = `attempt ${attempt + 1} of ${attempts} in ${Math.ceil(ms / 1000)} s`;
    onRetry(`external reward ${name}: ${what}; ${next}`);
    await pause(ms, signal);
  }
}

async function attemptOnce(
  body: string,
  mostBytes: number,
  { url, token, timeoutMs, signal }: EndpointOptions,
): Promise<string | Failure | typeof TOO_LONG> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: {
        "Content-Type": "application/json",
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
      redirect: "manual",
      signal: AbortSignal.any([signal, timeout]),
    });
    const { status, ok, headers } = response;
    const [text, whole] = await boundedText(response, ok ? mostBytes : REASON_BYTES);
    if (ok) return whole ? text : TOO_LONG;
    if (status >= 300 && status < 400) {
      const to = headers.get("Location"), place = to === null ? null : URL.parse(to, url);
      const where = place === null ? "no valid address" : withoutLogin(place.href);
      return { what: `got status ${status}, a redirect to ${where}, which is not followed`, again: false };
    }
    return {
      what: `got status ${status} ${shown(text, token)}`,
      again: status === 408 || status === 429 || status >= 500,
      afterMs: retryAfterMs(headers.get("Retry-After")),
    };
  } catch (cause) {
    if (timeout.aborted) return { what: `no reply within ${timeoutMs / 1000} s`, again: true };
    return { what: reasonOf(cause), again: !(cause instanceof Deno.errors.NotCapable) };
  }
}

/** Returns the text of a reply, and whether that is all of it: no more than `most` bytes and the next few are read. */
async function boundedText(
  { body }: Response,
  most: number,
): Promise<readonly [text: string, whole: boolean]> {
  const decoder = new TextDecoder();
  let text = "", bytes = 0;
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    bytes += chunk.length;
    if (bytes > most) return [text, false]; // leaving the loop cancels the body
  }
  return [text + decoder.decode(), true];
}

/** Returns the milliseconds of a Retry-After header, which has seconds or a date; 0 without a valid one. */
function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return ms > 0 ? ms : 0;
}

function byTimer(ms: number, signal: AbortSignal): Promise<void> {
  return setTimeout(ms, undefined, { signal }).catch(() => {}); // rejected on abort
}

/** Returns why a connection failed, without the address, which the message contains already. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // The cause of fetch()'s error has the reason.
  const { message } = cause.cause instanceof Error ? cause.cause : cause;
  return message.replace(/^error sending request for url \(.*?\): /, "");
}

/** Returns the beginning of a reply, in quotes, without the token, which an endpoint may send back. */
function shown(text: string, token: string | undefined): string {
  const safe = token === undefined ? text : text.replaceAll(token, "…");
  return JSON.stringify(safe.slice(0, SHOWN));
}

/** Returns an address without user and password, shortened. */
function withoutLogin(address: string): string {
  const url = new URL(address);
  url.username = url.password = "";
  return url.href.slice(0, 2000);
}
