/**
 * An external reward by an HTTP endpoint. Out: `POST` with `{"rows":[{"id","prompt_id","prompt","response","meta","ended",
 * "reward"}, …]}`. In: `{"rewards":[number, …]}`, one for every row, in their order.
 *
 * An endpoint that is busy, broken or gone is asked again after a while; one that refuses is not. Redirects are not followed:
 * a run may reach the host that its parameters name, and no other.
 * @module
 */
import { URL_TOKEN } from "@/lib/contracts/reached_hosts.ts";
import { jsonObjectIn } from "@/lib/files/strict_json.ts";
import { DataError, UnavailableError, UsageError } from "@/lib/tensor/errors.ts";
import { checkedValues, type ExternalReward, type ExternalRow } from "./external_reward.ts";
import { checkStop } from "./stop.ts";

/** Whom to ask, and how patiently. */
export interface EndpointOptions {
  /** http or https */
  readonly url: string;
  /** sent as bearer token and never shown */
  readonly token?: string | undefined;
  /** how long one attempt may take, answer included */
  readonly timeoutMs: number;
  /** how often a request is made before the endpoint is given up */
  readonly attempts: number;
  /** rows of a request; null: all that there are */
  readonly batch: number | null;
  /** aborted where a stop is wanted: nothing is waited for any more */
  readonly signal: AbortSignal;
  /** told one line before each wait */
  readonly tell: (line: string) => void;
  /** waits between attempts, or less where `signal` is aborted. Default: by a timer */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How an attempt ended without an answer. */
interface Failure {
  /** ends the sentence `as it must answer: …` */
  readonly what: string;
  /** whether it may go better next time */
  readonly again: boolean;
  /** what the endpoint asks for, by Retry-After */
  readonly afterMs?: number;
}

/** First wait between attempts; each is twice the one before, or what Retry-After asks for, up to the longest. */
const FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 30_000;

/** Characters of an answer that a message shows. */
const SHOWN = 200;

/**
 * The endpoint as a function of rows, its answers checked. What it throws:
 * {@linkcode UnavailableError} (exit code 69) if no attempt brings an answer, DataError (65) if the answer is no JSON with a
 * finite number for every row, TryAgainError (75) if a stop was asked for.
 * @throws {UsageError} for a token that no header can hold
 */
export function endpointReward(options: EndpointOptions): ExternalReward {
  const { token } = options;
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError(`Cannot use ${URL_TOKEN} as it must be printable ASCII without spaces: it is not`);
  }
  const name = withoutLogin(options.url);
  return async (rows) => {
    const values: number[] = [], size = options.batch ?? rows.length;
    for (let start = 0; start < rows.length; start += size) {
      const part = rows.slice(start, start + size);
      const answer = await ask(JSON.stringify({ rows: part.map(onTheWire) }), name, options);
      const given = jsonObjectIn(answer);
      if (given?.rewards === undefined) {
        throw new DataError(
          `Cannot use what external reward ${name} gives as it must be a JSON object with "rewards": it is ${
            shown(answer, token)
          }`,
          { file: name },
        );
      }
      for (const value of checkedValues(given.rewards, part, name)) values.push(value);
    }
    return values;
  };
}

/** The text of the answer to a POST of `body`. */
async function ask(body: string, name: string, options: EndpointOptions): Promise<string> {
  const { attempts, signal, tell, pause = byTimer } = options;
  for (let attempt = 1, wait = FIRST_PAUSE_MS;; attempt++, wait = Math.min(2 * wait, LONGEST_PAUSE_MS)) {
    checkStop(signal);
    const answer = await attemptOnce(body, options);
    if (typeof answer === "string") return answer;
    checkStop(signal);
    const { what, again, afterMs = 0 } = answer;
    if (!again || attempt === attempts) {
      const tried = again && attempts > 1 ? ` (${attempts} attempts)` : "";
      throw new UnavailableError(
        `Cannot ask external reward ${name} as it must answer with 200: ${what}${tried}`,
      );
    }
    const ms = Math.min(Math.max(wait, afterMs), LONGEST_PAUSE_MS);
    tell(
      `external reward ${name}: ${what}; attempt ${attempt + 1} of ${attempts} in ${Math.ceil(ms / 1000)} s`,
    );
    await pause(ms, signal);
  }
}

async function attemptOnce(
  body: string,
  { url, token, timeoutMs, signal }: EndpointOptions,
): Promise<string | Failure> {
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(), timeoutMs);
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: {
        "Content-Type": "application/json",
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
      redirect: "manual",
      signal: AbortSignal.any([signal, ended.signal]),
    });
    const { status, ok, headers } = response, text = await response.text();
    if (ok) return text;
    if (status >= 300 && status < 400) {
      const to = headers.get("Location"), place = to === null ? null : URL.parse(to, url);
      const where = place === null ? "nowhere" : withoutLogin(place.href);
      return { what: `it answered ${status}, a redirect to ${where}, which is not followed`, again: false };
    }
    return {
      what: `it answered ${status} ${shown(text, token)}`,
      again: status === 408 || status === 429 || status >= 500,
      afterMs: pauseAskedFor(headers.get("Retry-After")),
    };
  } catch (cause) {
    if (ended.signal.aborted) return { what: `it did not within ${timeoutMs / 1000} s`, again: true };
    return { what: reasonOf(cause), again: !(cause instanceof Deno.errors.NotCapable) };
  } finally {
    clearTimeout(timer);
  }
}

/** A row as JSON has it: snake_case, as everywhere outside the code. */
function onTheWire({ id, promptId, prompt, response, meta, ended, reward }: ExternalRow) {
  return { id, prompt_id: promptId, prompt, response, meta, ended, reward };
}

/** Milliseconds of a Retry-After: seconds, or a date. 0 without a useful one. */
function pauseAskedFor(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return ms > 0 ? ms : 0;
}

function byTimer(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    if (signal.aborted) done();
  });
}

/** Why no connection came about, without the address, which the message has already. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // fetch() says that it failed, and its cause says why.
  const { message } = cause.cause instanceof Error ? cause.cause : cause;
  return message.replace(/^error sending request for url \(.*?\): /, "");
}

/** The beginning of an answer, in quotes; an endpoint may give the token back. */
function shown(text: string, token: string | undefined): string {
  const safe = token === undefined ? text : text.replaceAll(token, "…");
  return JSON.stringify(safe.slice(0, SHOWN));
}

/** An address as messages show it. */
function withoutLogin(address: string): string {
  const url = new URL(address);
  url.username = url.password = "";
  return url.href;
}
