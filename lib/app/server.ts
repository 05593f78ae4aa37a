/**
 * The stages as functions over HTTP: a hono app, without the socket. Requests name files below one data root; the
 * answer to a run is a stream of server-sent events.
 *
 * | route | answer |
 * | --- | --- |
 * | `GET /healthz` | `{ status, running, slots }`; 503 while the server stops. Needs no token |
 * | `GET /stages`, `GET /stages/<id>` | ports, and parameters as JSON Schema |
 * | `POST /stages/<id>` | events `progress`…, then `finished` or `failed` (with the exit code that the program would give) |
 *
 * What is wrong before a run starts is a status: 400 usage, 401 token, 404 stage, 409 another run makes the same, 413 body,
 * 422 bad data, 429 all slots taken, 503 stopping or something needed is missing. What goes wrong in a run is its `failed`
 * event.
 * @module
 */
import { Hono } from "hono";
import type { Context, Next } from "hono";
import { bodyLimit } from "hono/body-limit";
import { streamSSE } from "hono/streaming";
import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Stage } from "@/lib/contracts/stage.ts";
import type { Executor } from "@/lib/pipeline/task.ts";
import { EXIT, exitCodeOf, TryAgainError, UsageError } from "@/lib/tensor/errors.ts";
import type { DataRoot } from "./data_root.ts";
import { readRunRequest, RunBody } from "./run_request.ts";
import { claimsOf, runServed, type ServedEvent } from "./served_run.ts";

/** What the server needs to know of the world. */
export interface ServerOptions {
  readonly root: DataRoot;
  readonly listStages: () => Promise<readonly string[]>;
  readonly loadStage: (id: string) => Promise<Stage>;
  /** where runs compute; one that blocks this thread keeps other requests waiting */
  readonly executor: Executor;
  /** compute threads of one run */
  readonly threads: number;
  /** cores that all runs share; `floor(cores / threads)` runs, at least one, go on at a time */
  readonly cores: number;
  /** bearer token that every route but /healthz asks for; without one, everybody who reaches the socket may run stages */
  readonly token?: string;
  /** `host:port` that parameters of a request may name. Default: none */
  readonly allowedHosts?: readonly string[];
  /** longest body that is read, in bytes. Default 1 MiB */
  readonly maxBodyBytes?: number;
  /** told how every run ended */
  readonly log?: (
    ended: Extract<ServedEvent, { event: "finished" | "failed" }>["data"] & { stage: string },
  ) => void;
}

/** A server without a socket. */
export interface StageServer {
  /** answers one request: what `Deno.serve` takes */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /**
   * Takes no more runs and asks those under way to stop: they save a checkpoint where they can and end with exit
   * code 75, or finish. Resolves with the number of runs that were under way, when the last of them has ended.
   */
  readonly stop: () => Promise<number>;
}

/** A run under way. */
interface Run {
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  /** paths that are its own meanwhile */
  readonly claims: readonly string[];
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
  const { root, listStages, loadStage, executor, threads } = options;
  const slots = Math.max(1, Math.floor(options.cores / threads));
  const runs = new Set<Run>();
  let stopping = false;

  const app = new Hono();
  app.onError((error, c) => {
    const code = exitCodeOf(error);
    if (code === EXIT.tryAgain) c.header("Retry-After", RETRY_SECONDS);
    return refuse(c, STATUS[code as keyof typeof STATUS] ?? 500, error.message, code);
  });
  app.notFound((c) =>
    refuse(c, 404, `Cannot find ${c.req.path} as it must be /healthz, /stages or /stages/<id>`)
  );
  app.get(
    "/healthz",
    (c) => c.json({ status: stopping ? "stopping" : "ok", running: runs.size, slots }, stopping ? 503 : 200),
  );
  app.use("/stages/*", requireToken(options.token));
  app.use("/stages/*", limitBody(options.maxBodyBytes ?? 1 << 20));
  app.get("/stages", async (c) => {
    const stages = await Promise.all((await listStages()).map(loadStage));
    return c.json({ stages: stages.map(describe), request: z.toJSONSchema(RunBody, { io: "input" }) });
  });
  app.get("/stages/:id", async (c) => {
    const stage = await find(c.req.param("id"));
    return stage === undefined ? unknownStage(c) : c.json(describe(stage));
  });
  app.post("/stages/:id", async (c) => {
    const stage = await find(c.req.param("id"));
    if (stage === undefined) return await unknownStage(c);
    const request = readRunRequest(stage, await readJson(c), root, options.allowedHosts);
    const claims = claimsOf(stage, request, root);
    // From here to runs.add() nothing awaits, so that two requests cannot take one slot or one place.
    if (stopping || runs.size >= slots) {
      c.header("Retry-After", RETRY_SECONDS);
      return stopping
        ? refuse(c, 503, `Cannot run ${stage.id} as the server must not be stopping: it is`, EXIT.tryAgain)
        : refuse(
          c,
          429,
          `Cannot run ${stage.id} as a slot must be free: ${slots} of ${slots} are taken`,
          EXIT.tryAgain,
        );
    }
    if ([...runs].some((run) => run.claims.some((claim) => claims.includes(claim)))) {
      c.header("Retry-After", RETRY_SECONDS);
      return refuse(
        c,
        409,
        `Cannot run ${stage.id} as no other run may have its outputs or be the same: one is under way`,
        EXIT.tryAgain,
      );
    }
    const controller = new AbortController();
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const run = { controller, ended, claims };
    runs.add(run);
    function release(): void {
      runs.delete(run);
      resolve();
    }
    return streamSSE(c, async (stream) => {
      stream.onAbort(() =>
        controller.abort(new TryAgainError("Cannot go on as the client must listen: it has gone"))
      );
      const keepAlive = setInterval(() => void stream.write(": still there\n\n"), KEEP_ALIVE_MS);
      try {
        const settings = { root, executor, threads, signal: controller.signal, release };
        await runServed(stage, request, settings, async ({ event, data }) => {
          if (event !== "progress") options.log?.({ stage: stage.id, ...data });
          await stream.writeSSE({ event, data: JSON.stringify(data) });
        });
      } finally {
        clearInterval(keepAlive);
      }
    });
  });

  async function find(id: string): Promise<Stage | undefined> {
    return (await listStages()).includes(id) ? await loadStage(id) : undefined;
  }

  async function unknownStage(c: Context): Promise<Response> {
    const ids = (await listStages()).join(", ");
    return refuse(
      c,
      404,
      `Cannot find stage "${c.req.param("id")}" as it must be one of those that are there: ${ids}`,
    );
  }

  async function stop(): Promise<number> {
    stopping = true;
    const count = runs.size;
    for (const { controller } of runs) {
      controller.abort(new TryAgainError("Cannot go on as the server must run: it stops"));
    }
    await Promise.all([...runs].map(({ ended }) => ended));
    return count;
  }

  return { fetch: (request) => app.fetch(request), stop };
}

/** A stage as the catalogue shows it. */
function describe(stage: Stage): Record<string, unknown> {
  const { id, summary, random, inputs, outputs } = stage;
  return { id, summary, random, inputs, outputs, params: z.toJSONSchema(stage.params, { io: "input" }) };
}

function refuse(
  c: Context,
  status: 400 | 401 | 404 | 409 | 413 | 422 | 429 | 500 | 503,
  message: string,
  exitCode: number = EXIT.usage,
): Response {
  return c.json({ error: { message, exit_code: exitCode } }, status);
}

async function readJson(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`Cannot read the body as it must be JSON: ${error.message}`);
  }
}

function limitBody(maxSize: number): (c: Context, next: Next) => Promise<Response | void> {
  return bodyLimit({
    maxSize,
    onError: (c) =>
      refuse(c, 413, `Cannot read the body as it must have at most ${maxSize} bytes: it has more`),
  });
}

/** Compares digests, in a time that tells nothing of how much of the token was right, nor of its length. */
function requireToken(token: string | undefined): (c: Context, next: Next) => Promise<Response | void> {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const wanted = token === undefined ? undefined : digest(`Bearer ${token}`);
  return async (c, next) => {
    const given = digest((c.req.header("Authorization") ?? "").replace(/^bearer /i, "Bearer "));
    if (wanted === undefined || timingSafeEqual(given, wanted)) return await next();
    c.header("WWW-Authenticate", "Bearer");
    return refuse(
      c,
      401,
      "Cannot answer as the request must carry the server's token: Authorization does not match",
    );
  };
}
