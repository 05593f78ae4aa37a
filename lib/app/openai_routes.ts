/**
 * The OpenAI-compatible routes below `/v1`: `GET /models`, `GET /models/NAME`, `POST /completions`, `POST /chat/completions`.
 * A client that disconnects cancels its request.
 * @module
 */
import { type Context, Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import type { Completion, CompletionChoice } from "@/lib/model/serve/completion.ts";
import type { ModelPool } from "./model_pool.ts";
import { InvalidFieldError, openAiError, openAiStatusOf } from "./openai_errors.ts";
import { type OpenAiRequest, readChatBody, readCompletionBody } from "./openai_requests.ts";
import { chatFormat, completionFormat, type ResponseFormat } from "./openai_responses.ts";
import type { ServedModel } from "./served_models.ts";

/** Settings of the routes. */
export interface OpenAiOptions {
  readonly pool: ModelPool;
  /** most sequences that one request may have */
  readonly sequences: number;
  /** seconds that a request may take. Default: no limit */
  readonly timeout?: number | undefined;
  /** returns a text as clients may see it */
  readonly shown: (text: string) => string;
}

/** The routes, and how they stop. */
export interface OpenAiRoutes {
  readonly app: Hono;
  /** number of requests in progress */
  readonly count: () => number;
  /** Refuses new requests, waits for those in progress, interrupts them after `graceMs`; returns the number interrupted. */
  readonly stop: (graceMs: number) => Promise<number>;
}

/** Seconds after which a client should try again. */
const RETRY_SECONDS = "1";
const KEEP_ALIVE_MS = 15_000;

/** Returns the routes for the models of a pool. */
export function openAiRoutes(options: OpenAiOptions): OpenAiRoutes {
  const { pool } = options, app = new Hono(), created = Math.floor(Date.now() / 1000);
  const active = new Map<AbortController, Promise<void>>();
  let isStopping = false;
  const entry = ({ name, tokens }: ServedModel) => {
    return { id: name, object: "model", created, owned_by: "srppo", max_model_len: tokens };
  };
  app.onError((error, c) => failed(c, error, options));
  app.get("/models", (c) => c.json({ object: "list", data: pool.models.map(entry) }));
  app.get("/models/:id{.+}", (c) => {
    const found = pool.models.find(({ name }) => name === c.req.param("id"));
    return found ? c.json(entry(found)) : c.json(...unknownModel(c.req.param("id"), pool));
  });
  const post =
    (read: (body: unknown) => OpenAiRequest, formatOf: (request: OpenAiRequest) => ResponseFormat) =>
    async (c: Context) => {
      const asked = read(await readJson(c));
      if (!pool.models.some(({ name }) => name === asked.model)) {
        return c.json(...unknownModel(asked.model, pool));
      }
      if (isStopping) throw new TryAgainError("The server is stopping");
      const controller = new AbortController(), { promise, resolve } = Promise.withResolvers<void>();
      active.set(controller, promise);
      const end = () => {
        active.delete(controller);
        resolve();
      };
      return await respond(c, asked, { controller, end, format: formatOf(asked) }, options);
    };
  app.post("/completions", post(readCompletionBody, completionFormat));
  app.post("/chat/completions", post(readChatBody, chatFormat));
  async function stop(graceMs: number): Promise<number> {
    isStopping = true;
    let interrupted = 0;
    const timer = setTimeout(() => {
      interrupted = active.size;
      for (const controller of active.keys()) {
        controller.abort(new TryAgainError("Interrupted: the server is stopping"));
      }
    }, graceMs);
    await Promise.all(active.values());
    clearTimeout(timer);
    await pool.close();
    return interrupted;
  }
  return { app, count: () => active.size, stop };
}

interface Exchange {
  /** aborted to cancel the request */
  readonly controller: AbortController;
  /** called once when it has ended */
  readonly end: () => void;
  readonly format: ResponseFormat;
}

/** Runs a request and responds, in one piece or in parts. */
async function respond(
  c: Context,
  asked: OpenAiRequest,
  exchange: Exchange,
  options: OpenAiOptions,
): Promise<Response> {
  const { controller, end, format } = exchange, { signal } = c.req.raw;
  const gone = () => controller.abort(new TryAgainError("Interrupted: the client has disconnected"));
  signal.addEventListener("abort", gone);
  if (signal.aborted) gone();
  const { timeout } = options;
  const late = timeout === undefined ? undefined : setTimeout(
    () => controller.abort(new TryAgainError(`Interrupted: the request did not end within ${timeout} s`)),
    1000 * timeout,
  );
  const parts: CompletionChoice[] = [];
  let wake: () => void = () => {};
  const onPart = (part: CompletionChoice) => {
    parts.push(part);
    wake();
  };
  const completion = complete(asked, { signal: controller.signal, onPart }, options).finally(() => {
    clearTimeout(late);
    signal.removeEventListener("abort", gone);
    end();
  });
  if (!asked.request.stream) return c.json(format.whole(await completion));
  // Errors before the first part have a status.
  const first = new Promise<void>((resolve) => wake = resolve);
  await Promise.race([first, completion]);
  return streamParts(c, { asked, completion, parts, gone, onWake: (then) => wake = then }, format, options);
}

/** Completes a request with the model that it names. */
async function complete(
  { model, request }: OpenAiRequest,
  control: { readonly signal: AbortSignal; readonly onPart: (part: CompletionChoice) => void },
  { pool, sequences: most }: OpenAiOptions,
): Promise<Completion> {
  const sequences = (request.prompts?.length ?? 1) * request.n;
  if (sequences > most) {
    throw new InvalidFieldError(
      `A request must have at most ${most} responses (prompts · n), got ${sequences}`,
      "n",
    );
  }
  const { signal } = control, { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  const work = pool.use(model, sequences, async (engine) => {
    signal.throwIfAborted();
    return await engine.complete(request, control);
  });
  work.catch(() => {});
  return await Promise.race([work, aborted]);
}

interface Streamed {
  readonly asked: OpenAiRequest;
  readonly completion: Promise<Completion>;
  /** parts that were not yet sent */
  readonly parts: CompletionChoice[];
  readonly gone: () => void;
  /** sets what is called at the next part */
  readonly onWake: (then: () => void) => void;
}

/** Responds with the parts as server-sent events; the last is `[DONE]`. */
function streamParts(
  c: Context,
  { asked, completion, parts, gone, onWake }: Streamed,
  format: ResponseFormat,
  { shown }: OpenAiOptions,
): Response {
  return streamSSE(c, async (stream) => {
    stream.onAbort(gone);
    const keepAlive = setInterval(() => void stream.write(": keep-alive\n\n"), KEEP_ALIVE_MS);
    const send = (data: unknown) => stream.write(`data: ${JSON.stringify(data)}\n\n`);
    let isDone = false;
    const settled = completion.then(() => {}, () => {}).then(() => void (isDone = true));
    try {
      for (const chunk of format.first((asked.request.prompts?.length ?? 1) * asked.request.n)) {
        await send(chunk);
      }
      while (true) {
        const next = new Promise<void>((resolve) => onWake(resolve));
        const taken = parts.splice(0, parts.length);
        if (taken.length > 0) {
          await stream.write(taken.map((part) => `data: ${JSON.stringify(format.chunk(part))}\n\n`).join(""));
        } else if (isDone) break;
        else await Promise.race([next, settled]);
      }
      const whole = await completion;
      if (asked.includeUsage) await send(format.usage(whole));
      await stream.write("data: [DONE]\n\n");
    } catch (error) {
      const { status, param, code } = openAiStatusOf(error);
      await send(openAiError(status, shown((error as Error).message), { param, code }));
    } finally {
      clearInterval(keepAlive);
    }
  });
}

/** Responds with an error. */
function failed(c: Context, error: Error, { shown }: OpenAiOptions): Response {
  const { status, param, code } = openAiStatusOf(error);
  if (status === 429 || status === 503) c.header("Retry-After", RETRY_SECONDS);
  return c.json(openAiError(status, shown(error.message), { param, code }), status);
}

function unknownModel(name: string, { models }: ModelPool): [object, 404] {
  const known = models.map(({ name }) => name).join(", ");
  const message = `Unknown model "${name.slice(0, 200)}", known are ${known}`;
  return [openAiError(404, message, { param: "model", code: "model_not_found" }), 404];
}

async function readJson(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new InvalidFieldError(`The request body must be JSON: ${error.message}`, null);
  }
}
