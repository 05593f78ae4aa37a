/**
 * The stages over HTTP: a hono app without the socket. Requests name files below one data root; a run responds with a
 * stream of server-sent events.
 *
 * | route | response |
 * | --- | --- |
 * | `GET /healthz` | `{ status, running, slots }`; 503 while the server stops. Needs no token |
 * | `GET /stages`, `GET /stages/<id>` | ports, and parameters as JSON Schema |
 * | `POST /stages/<id>` | events `progress`…, then `finished` or `failed` (with the exit code of the stage's program) |
 *
 * An error before a run starts is a status: 400 invalid request, 401 wrong token, 403 wrong Host or Origin, 404 unknown
 * stage, 409 the same run or one with the same outputs is in progress, 413 body too large, 415 not JSON, 422 invalid data,
 * 429 all slots in use, 503 stopping or something required is missing. An error during a run is its `failed` event.
 * `/v1/…` are the OpenAI-compatible routes of `openai_routes.ts`, whose errors have OpenAI's format.
 * @module
 */
import { Hono } from "hono";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { streamSSE } from "hono/streaming";
import { z } from "zod";
import type { Stage } from "@/lib/data/contracts/stage.ts";
import type { StageSource } from "@/lib/pipeline/engine/blueprint.ts";
import type { Executor } from "@/lib/pipeline/engine/task.ts";
import { EXIT, exitCodeOf, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { type ActiveRun, ActiveRuns } from "./active_runs.ts";
import type { DataRoot } from "./data_root.ts";
import { openAiError } from "./openai_errors.ts";
import type { OpenAiRoutes } from "./openai_routes.ts";
import { checkSender, requireJson, requireToken, SAFE_HEADERS } from "./request_guard.ts";
import { readRunRequest, RunBody, type RunRequest } from "./run_request.ts";
import { shownText } from "./shown_text.ts";
import { claimsOf, runServed, type ServedEvent } from "./served_run.ts";
import { DEFAULT_GRACE } from "./stopping.ts";

/** Settings of the server. */
export interface ServerOptions {
  readonly root: DataRoot;
  readonly stages: Pick<StageSource, "list" | "load">;
  /** runs the stages; one that blocks this thread delays other requests */
  readonly executor: Executor;
  /** compute threads of one run */
  readonly threads: number;
  /** device that computes in all runs; default: the processor */
  readonly device?: string;
  /** cores shared by all runs; `floor(cores / threads)` runs, at least one, run at a time */
  readonly cores: number;
  /** bearer token that every route but /healthz requires; without one, anyone who reaches the socket may run stages */
  readonly token?: string;
  /** origins of web pages that may send requests, with the token only. Default: none */
  readonly allowedOrigins?: readonly string[];
  /** `host:port` that parameters of a request may name. Default: none */
  readonly allowedHosts?: readonly string[];
  /** whether requests may have user modules. Default: false */
  readonly allowModules?: boolean;
  /** maximum length of a request body, in bytes. Default 1 MiB */
  readonly maxBodyBytes?: number;
  /** seconds from the interruption of a run until its process is killed. Default 25 */
  readonly grace?: number;
  /** seconds that a run may take; then it is interrupted. Default: no limit */
  readonly timeout?: number;
  /** models behind the OpenAI-compatible routes. Default: none, and no such routes */
  readonly models?: OpenAiRoutes;
  /** called with the last event of every run */
  readonly log?: (
    ended: Extract<ServedEvent, { event: "finished" | "failed" }>["data"] & { stage: string },
  ) => void;
}

/** A server without a socket. */
export interface StageServer {
  /** responds to one request: its URL has the port of the socket */
  readonly fetch: (request: Request) => Promise<Response>;
  /**
   * Refuses new runs and interrupts those in progress: they save a checkpoint where they can and end with exit code 75, or
   * finish. Resolves with the number of runs that were in progress, when the last of them has ended.
   */
  readonly stop: () => Promise<number>;
}

const RETRY_SECONDS = "10";
const KEEP_ALIVE_MS = 15_000;
const STATUS = {
  [EXIT.usage]: 400,
  [EXIT.badData]: 422,
  [EXIT.unavailable]: 503,
  [EXIT.tryAgain]: 503,
} as const;

/** Builds the server. */
export function createServer(options: ServerOptions): StageServer {
  const { root, stages, models, grace = DEFAULT_GRACE } = options;
  const runs = new ActiveRuns(Math.max(1, Math.floor(options.cores / options.threads)), 1000 * grace);
  const app = new Hono<{ Variables: { stage: Stage } }>();
  app.onError((error, c) => {
    const code = exitCodeOf(error);
    return refuse(c, STATUS[code as keyof typeof STATUS] ?? 500, shown(options, error.message), code);
  });
  app.notFound((c) =>
    refuse(
      c,
      404,
      `Unknown path ${c.req.path}, known are /healthz, /stages${
        models ? ", /stages/<id> and /v1/…" : " and /stages/<id>"
      }`,
    )
  );
  app.use("*", checkSender(options, refuse));
  app.get("/healthz", (c) => {
    const health = {
      status: runs.isStopping ? "stopping" : "ok",
      running: runs.count,
      slots: runs.slots,
      ...(models && { requests: models.count() }),
    };
    return c.json(health, runs.isStopping ? 503 : 200);
  });
  for (const path of ["/stages/*", "/v1/*"]) {
    app.use(path, requireToken(options.token, refuse), requireJson(refuse));
    app.use(path, limitBody(options.maxBodyBytes ?? 1 << 20));
  }
  if (models) app.route("/v1", models.app);
  app.get("/stages", async (c) => {
    const all = await Promise.all((await stages.list()).map(stages.load));
    return c.json({ stages: all.map(describe), request: z.toJSONSchema(RunBody, { io: "input" }) });
  });
  app.use("/stages/:id", async (c, next) => {
    const id = c.req.param("id"), known = await stages.list();
    if (!known.includes(id)) return refuse(c, 404, `Unknown stage "${id}", known are ${known.join(", ")}`);
    c.set("stage", await stages.load(id));
    return await next();
  });
  app.get("/stages/:id", (c) => c.json(describe(c.get("stage"))));
  app.post("/stages/:id", async (c) => {
    const stage = c.get("stage");
    const request = await readRunRequest(stage, await readJson(c), root, {
      hosts: options.allowedHosts ?? [],
      modules: options.allowModules ?? false,
    });
    const run = runs.start(stage.id, claimsOf(stage, request, root));
    return "status" in run
      ? refuse(c, run.status, run.message, EXIT.tryAgain)
      : streamRun(c, { stage, request, run }, options);
  });
  async function fetch(request: Request): Promise<Response> {
    const response = await app.fetch(request);
    for (const [name, value] of Object.entries(SAFE_HEADERS)) response.headers.set(name, value);
    return response;
  }
  async function stop(): Promise<number> {
    const counts = await Promise.all([runs.stop(), models?.stop(1000 * grace) ?? 0]);
    return counts[0] + counts[1];
  }
  return { fetch, stop };
}

/** Runs the stage and responds with its events. A client that disconnects interrupts the run. */
function streamRun(
  c: Context,
  { stage, request, run }: { readonly stage: Stage; readonly request: RunRequest; readonly run: ActiveRun },
  options: ServerOptions,
): Response {
  const { root, executor, threads, device, timeout, log } = options;
  return streamSSE(c, async (stream) => {
    stream.onAbort(() => run.controller.abort(new TryAgainError("Interrupted: the client has disconnected")));
    const late = timeout === undefined ? undefined : setTimeout(
      () => run.controller.abort(new TryAgainError(`Interrupted: the run did not end within ${timeout} s`)),
      1000 * timeout,
    );
    const keepAlive = setInterval(() => void stream.write(": keep-alive\n\n"), KEEP_ALIVE_MS);
    try {
      const { controller: { signal }, kill, release } = run;
      const settings = { root, executor, threads, device, signal, kill, release };
      await runServed(stage, request, settings, async ({ event, data: raw }) => {
        const data = JSON.parse(
          JSON.stringify(raw),
          (_, value) => typeof value === "string" ? shown(options, value) : value,
        );
        if (event !== "progress") log?.({ stage: stage.id, ...data });
        await stream.writeSSE({ event, data: JSON.stringify(data) });
      });
    } finally {
      clearInterval(keepAlive);
      clearTimeout(late);
    }
  });
}

/** Returns a text as clients and the log may see it. */
function shown({ root, token }: ServerOptions, text: string): string {
  return shownText(text, root, token === undefined ? [] : [token]);
}

/** Returns a stage as `GET /stages` shows it. */
function describe(stage: Stage): Record<string, unknown> {
  const { id, summary, random, inputs, outputs } = stage;
  return { id, summary, random, inputs, outputs, params: z.toJSONSchema(stage.params, { io: "input" }) };
}

function refuse(
  c: Context,
  status: 400 | 401 | 403 | 404 | 409 | 413 | 415 | 422 | 429 | 500 | 503,
  message: string,
  exitCode: number = EXIT.usage,
): Response {
  if (exitCode === EXIT.tryAgain) c.header("Retry-After", RETRY_SECONDS);
  const isOpenAi = c.req.path.startsWith("/v1/") && status !== 409 && status !== 422;
  return c.json(
    isOpenAi ? openAiError(status, message) : { error: { message, exit_code: exitCode } },
    status,
  );
}

async function readJson(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`The request body must be JSON: ${error.message}`);
  }
}

function limitBody(maxSize: number): ReturnType<typeof bodyLimit> {
  return bodyLimit({
    maxSize,
    onError: (c) => refuse(c, 413, `The request body must have at most ${maxSize} bytes, got more`),
  });
}
