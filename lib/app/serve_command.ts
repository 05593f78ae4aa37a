/**
 * `deno task serve`: the stages and, with `--model`, models over HTTP. It reads its flags and starts itself again with permission for the data root and
 * one socket; that process listens until SIGTERM or SIGINT. Every run is a separate process with permission for its inputs
 * and outputs only, so that the server responds while stages compute, and a crash of native code ends only the run.
 * @module
 */
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { hostOf, URL_TOKEN, urlToken } from "@/lib/data/contracts/reached_hosts.ts";
import { modulePermissions } from "@/lib/data/contracts/user_modules.ts";
import { childPrograms } from "@/lib/data/files/child_command.ts";
import {
  BASE_ENVIRONMENT,
  COMMAND_ENVIRONMENT,
  environmentValue,
} from "@/lib/data/files/kept_environment.ts";
import type { StageSource } from "@/lib/pipeline/engine/blueprint.ts";
import { processExecutor } from "@/lib/pipeline/executors/process_executor.ts";
import type { Executor } from "@/lib/pipeline/engine/task.ts";
import { EXIT, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { CHILD_FLAGS, type ChildFlags, keptByFlag, readChildFlags } from "./child_flags.ts";
import { runCommand } from "./command.ts";
import { openDataRoot } from "./data_root.ts";
import { readFlags } from "./flags.ts";
import { listen } from "./http_listener.ts";
import { filesOfModels, MODEL_FLAGS, type ModelFlags, modelRoutes, readModelFlags } from "./model_flags.ts";
import { endWithParent, endWithTask, workingDirectory } from "./parent.ts";
import { projectRoot } from "./project_root.ts";
import { stages } from "./registry.ts";
import { relaunch } from "./relaunch.ts";
import { isLoopback } from "./request_guard.ts";
import { checkDevice } from "@/lib/compute/devices/devices.ts";
import { createServer } from "./server.ts";
import { shownText } from "./shown_text.ts";
import { innerGrace, stopOnSignals, warnIfOrphansArePossible } from "./stopping.ts";

const HELP = `Serves the stages over HTTP: GET /healthz, /stages, /stages/ID; POST /stages/ID runs a stage.
With --model, also models by OpenAI's API: GET /v1/models; POST /v1/completions, /v1/chat/completions.

Usage: deno task serve [--model NAME=DIR]… [flags]

  --data DIR              directory for all files that requests read or write; default runs
  --host HOST             address to listen on; non-loopback addresses require SRPPO_TOKEN; default 127.0.0.1
  --port N                port; 0: any free port; default PORT, else 8000
  --model NAME=DIR        model or adapter to serve, loaded at its first request; repeatable; default none
  --memory SIZE           memory of all loaded models, such as 8GB; default 3/4 of the machine's
  --max-sequences N       responses of a model that decode at the same time; default 32
  --max-queue N           responses of a model that may wait; default 256
  --max-tokens N          tokens of a prompt and its response; default 4096, at most the model's context
  --chat-template T       for models without their own: built-in name or .jinja file; default none
  --threads N             CPU threads of one run or model; default all cores
  --device NAME           device of all runs and models: cpu, webgpu (experimental) or auto; default cpu
  --cores N               CPU cores of all runs; number of parallel runs: N / threads; default all cores
  --max-body BYTES        maximum size of a request body; default 1048576
  --allow-origin ORIGIN   web pages that may send requests, with the token; repeatable; default none
  --allow-host HOST:PORT  host that external_url in requests may have; repeatable; default none
  --allow-modules         accept user modules in requests; default refuse them
  --timeout SECONDS       time limit of one run, which then saves its progress; default none
  --grace SECONDS         time until an interrupted run is killed; default 25
  --keep-env NAME         additional environment variable for the stages; repeatable
  --verbose               print stack traces of errors
  --help                  print this text

Examples:
  SRPPO_TOKEN=secret deno task serve --data data
  deno task serve --model sft=runs/quickstart/sft/model --model srppo=runs/quickstart/policy
  SRPPO_TOKEN=$(openssl rand -hex 32) deno task serve --host 0.0.0.0 --port 8000 --cores 8 --threads 2

Environment: SRPPO_TOKEN, the bearer token that requests must send, at least 32 characters where other machines reach
the server; PORT; SRPPO_URL_TOKEN=HOST:PORT=TOKEN, the bearer token for one host of --allow-host.
On SIGTERM or Ctrl-C, or if its client disconnects, a running stage stops after the current step and saves a checkpoint,
if it supports it; after --grace it is killed. Exit code 75 if a stage was interrupted, else 0. Press Ctrl-C twice to
quit immediately.
`;

/** Flags of the command, checked. */
export interface ServeFlags extends ChildFlags {
  /** as given; undefined: `runs` in the project */
  readonly data: string | undefined;
  readonly host: string;
  /** 0: any free port */
  readonly port: number;
  readonly threads: number;
  readonly cores: number;
  /** value of --device */
  readonly device?: string;
  readonly maxBodyBytes: number;
  /** `host:port` that parameters of requests may name */
  readonly allowedHosts: readonly string[];
  /** origins of web pages that may send requests with the token */
  readonly allowedOrigins: readonly string[];
  /** seconds that a run may take; undefined: no limit */
  readonly timeout?: number;
  /** whether requests may have user modules */
  readonly allowModules: boolean;
  /** models to serve */
  readonly served?: ModelFlags;
  /** started by this command itself, with a pipe as standard input that ends when the first process does */
  readonly launched?: boolean;
}

/**
 * Reads the command line.
 * @throws {UsageError} listing all invalid flags
 */
export function readServeFlags(
  args: readonly string[],
  env: { readonly PORT?: string | undefined },
): ServeFlags {
  const flags = readFlags(args, {
    strings: [
      ...["data", "host", "port", "threads", "cores", "device", "max-body", "timeout"],
      ...CHILD_FLAGS.strings,
      ...MODEL_FLAGS.strings,
    ],
    lists: ["allow-origin", "allow-host", ...MODEL_FLAGS.lists, ...CHILD_FLAGS.lists],
    booleans: ["allow-modules"],
    maxWords: 0,
  });
  const hosts = flags.list("allow-host").map((text) => ({
    text,
    host: /^[^/\\?#@]+:\d+$/.test(text) ? hostOf(`http://${text}`) : undefined,
  }));
  const bad = hosts.filter(({ host }) => host === undefined).map(({ text }) => `"${text}"`);
  if (bad.length > 0) {
    flags.problems.push(`--allow-host must be HOST:PORT, got ${listed(bad, { separator: ", " })}`);
  }
  const origins = flags.list("allow-origin");
  const wrong = origins.filter((text) => !/^https?:/.test(text) || URL.parse(text)?.origin !== text);
  if (wrong.length > 0) {
    const got = listed(wrong.map((text) => `"${text}"`), { separator: ", " });
    flags.problems.push(`--allow-origin must be an origin such as https://app.example, got ${got}`);
  }
  const host = flags.text("host") ?? "127.0.0.1";
  if (host !== "localhost" && isIP(host) === 0) {
    flags.problems.push(`--host must be an IP address or localhost, got "${host}"`);
  }
  const all = navigator.hardwareConcurrency;
  const device = flags.text("device");
  const timeout = flags.integer("timeout", { min: 1, max: 1e6 });
  const served = readModelFlags(flags, workingDirectory());
  const read = {
    ...readChildFlags(flags),
    ...(served && { served }),
    ...(timeout !== undefined && { timeout }),
    data: flags.text("data"),
    // The permission to listen names an address.
    host: host === "localhost" ? "127.0.0.1" : host,
    port: flags.integer("port", { min: 0, max: 65535 }, env.PORT) ?? 8000,
    threads: flags.integer("threads", { min: 1, max: 1024 }) ?? all,
    cores: flags.integer("cores", { min: 1, max: 1024 }) ?? all,
    ...(device !== undefined && { device }),
    maxBodyBytes: flags.integer("max-body", { min: 1, max: 1 << 30 }) ?? 1 << 20,
    allowedHosts: hosts.flatMap(({ host }) => host ?? []),
    allowedOrigins: origins,
    allowModules: flags.has("allow-modules"),
    ...(flags.has("launched") && { launched: true }),
  };
  flags.check();
  return read;
}

/** What the server needs beside its flags. */
export interface ServeWorld {
  readonly stages: Pick<StageSource, "list" | "load">;
  /** runs the stages */
  readonly executor: Executor;
  readonly token?: string | undefined;
  /** aborted to stop the server */
  readonly stop: AbortSignal;
  /** prints one line */
  readonly print: (line: string) => void;
}

/**
 * Listens until `world.stop`, then waits until the runs have ended.
 * @returns exit code: 75 if a run was interrupted, else 0
 * @throws {UsageError} for an address that other machines reach without a long token, or a port in use
 */
export async function serve(
  flags: ServeFlags & { readonly data: string },
  world: ServeWorld,
): Promise<number> {
  const { host, port } = flags;
  checkToken(flags, world.token);
  const root = openDataRoot(flags.data);
  if (flags.device !== undefined) checkDevice(flags.device); // stages open it, this process may not
  const { token } = world;
  const shown = (text: string) => shownText(text, root, token === undefined ? [] : [token]);
  const { served, threads, timeout, device } = flags;
  const models = served && modelRoutes(served, { threads, device, timeout, shown, print: world.print });
  const server = createServer({
    ...flags,
    ...(models && { models }),
    grace: innerGrace(flags.grace),
    root,
    stages: world.stages,
    executor: world.executor,
    ...(token !== undefined && { token }),
    log: (ended) => world.print(JSON.stringify(ended)),
  });
  const { length: count } = await world.stages.list();
  const listener = await listen(server.fetch, { host, port });
  const address = `http://${socketName(host, listener.port)}`;
  world.print(`Serving ${count} stages on ${address} with files below ${root.path}`);
  await new Promise<void>((resolve) => {
    if (world.stop.aborted) resolve();
    world.stop.addEventListener("abort", () => resolve(), { once: true });
  });
  const stopped = await server.stop();
  await listener.close();
  return stopped > 0 ? EXIT.tryAgain : EXIT.ok;
}

/** Shortest token of a server that other machines reach: short ones can be guessed. */
const MIN_TOKEN = 32;

/** Throws if the flags require a token, or a longer one. */
function checkToken({ host, allowedOrigins }: ServeFlags, token: string | undefined): void {
  if (isLoopback(host)) {
    if (token !== undefined || allowedOrigins.length === 0) return;
    throw new UsageError("--allow-origin requires a token: SRPPO_TOKEN is not set");
  }
  const found = token === undefined ? "is not set" : `has ${token.length} characters`;
  if (token !== undefined && token.length >= MIN_TOKEN) return;
  throw new UsageError(
    `--host ${host} requires a token of at least ${MIN_TOKEN} characters, as other machines may reach it: ` +
      `SRPPO_TOKEN ${found}`,
  );
}

/** Returns `host:port`, with the brackets that IPv6 requires. */
function socketName(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function main(args: readonly string[]): Promise<number> {
  const flags = readServeFlags(args, { PORT: environmentValue("PORT") });
  const place = flags.data === undefined
    ? join(projectRoot, "runs")
    : resolve(workingDirectory(), flags.data);
  const socket = socketName(flags.host, flags.port);
  if (Deno.permissions.querySync({ name: "net", host: socket }).state !== "granted") {
    endWithTask();
    warnIfOrphansArePossible();
    for (const host of flags.allowedHosts) urlToken(environmentValue(URL_TOKEN), `http://${host}`);
    if (flags.data === undefined) Deno.mkdirSync(place, { recursive: true });
    // Both spellings if a link leads to the data root: Deno checks a path as it is written.
    const data = [...new Set([place, openDataRoot(place).path])];
    const code = ["deno.json", "deno.lock", "lib", "stages", "node_modules", "fixtures/benchmarks"].map((
      name,
    ) => join(projectRoot, name));
    const models = flags.served ? filesOfModels(flags.served) : [];
    const permissions = {
      // Every run has its own permission to start what confines its module; this process only looks for it.
      read: [
        ...code,
        ...data,
        ...models,
        ...(flags.allowModules ? modulePermissions().read : []),
      ],
      write: data,
      net: [socket],
      env: [...BASE_ENVIRONMENT, ...COMMAND_ENVIRONMENT, "PORT", "SRPPO_TOKEN", URL_TOKEN],
      run: childPrograms(),
      ...(models.length > 0 && { sys: ["systemMemoryInfo"] }),
    };
    return await relaunch(new URL(import.meta.url), [...args, "--launched"], permissions, {
      lifeline: true,
      grace: flags.grace,
      set: await keptByFlag(flags.keepEnv),
    });
  }
  if (flags.launched) endWithParent();
  return await serve({ ...flags, data: place }, {
    stages,
    executor: processExecutor({ stages, root: projectRoot, keepEnv: flags.keepEnv }),
    token: environmentValue("SRPPO_TOKEN") || undefined,
    stop: stopOnSignals(flags.grace).signal,
    print: (line) => console.log(escapeControls(line)),
  });
}

/** Runs the command with the process's arguments and ends the process. */
export function runServe(): Promise<never> {
  return runCommand(main, HELP);
}

if (import.meta.main) await runServe();
