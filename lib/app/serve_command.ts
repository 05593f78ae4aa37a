/**
 * `deno task serve`: the stages over HTTP. It reads its flags and starts itself again with permission for the data root and
 * one socket; that process listens until SIGTERM or SIGINT. Every run is a separate process with permission for its inputs
 * and outputs only, so that the server responds while stages compute, and a crash of native code ends only the run.
 * @module
 */
import { join, resolve } from "node:path";
import { hostOf } from "@/lib/data/contracts/reached_hosts.ts";
import { modulePermissions } from "@/lib/data/contracts/user_modules.ts";
import type { StageSource } from "@/lib/pipeline/engine/blueprint.ts";
import { processExecutor } from "@/lib/pipeline/engine/process_executor.ts";
import type { Executor } from "@/lib/pipeline/engine/task.ts";
import { EXIT, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { runCommand, stopOnSignals } from "./command.ts";
import { openDataRoot } from "./data_root.ts";
import { readFlags } from "./flags.ts";
import { endWithParent, endWithTask, workingDirectory } from "./parent.ts";
import { projectRoot } from "./project_root.ts";
import { stages } from "./registry.ts";
import { relaunch } from "./relaunch.ts";
import { createServer } from "./server.ts";

const HELP = `Serves the stages over HTTP: GET /healthz, /stages, /stages/ID; POST /stages/ID runs a stage.

Usage: deno task serve [flags]

  --data DIR              only directory in which requests may name files; default runs
  --host HOST             address to listen on; all but 127.0.0.1 require SRPPO_TOKEN; default 127.0.0.1
  --port N                port, 0 for any free one; default PORT, else 8000
  --threads N             CPU threads of one run; default all cores
  --cores N               CPU cores of all runs: N / threads runs at a time; default all cores
  --max-body BYTES        maximum length of a request body; default 1048576
  --allow-host HOST:PORT  host that URL parameters of requests may name; repeatable; default none
  --allow-modules         requests may have user modules; default refuse them
  --verbose               print stack traces of errors
  --help                  print this text

Examples:
  SRPPO_TOKEN=secret deno task serve --data data
  SRPPO_TOKEN=secret deno task serve --host 0.0.0.0 --port 8000 --cores 8 --threads 2

Environment: SRPPO_TOKEN, the bearer token that requests must carry; PORT; SRPPO_URL_TOKEN, the bearer token sent to
hosts of --allow-host.
SIGTERM or Ctrl-C: running stages finish or save a checkpoint. Exit code 75 if one was interrupted, else 0.
`;

/** Flags of the command, checked. */
export interface ServeFlags {
  /** as given; undefined: `runs` in the project */
  readonly data: string | undefined;
  readonly host: string;
  /** 0: any free port */
  readonly port: number;
  readonly threads: number;
  readonly cores: number;
  readonly maxBodyBytes: number;
  /** `host:port` that parameters of requests may name */
  readonly allowedHosts: readonly string[];
  /** whether requests may have user modules */
  readonly allowModules: boolean;
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
    strings: ["data", "host", "port", "threads", "cores", "max-body"],
    lists: ["allow-host"],
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
  const all = navigator.hardwareConcurrency;
  const read = {
    data: flags.text("data"),
    host: flags.text("host") ?? "127.0.0.1",
    port: flags.integer("port", { min: 0, max: 65535 }, env.PORT) ?? 8000,
    threads: flags.integer("threads", { min: 1, max: 1024 }) ?? all,
    cores: flags.integer("cores", { min: 1, max: 1024 }) ?? all,
    maxBodyBytes: flags.integer("max-body", { min: 1, max: 1 << 30 }) ?? 1 << 20,
    allowedHosts: hosts.flatMap(({ host }) => host ?? []),
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
 * @throws {UsageError} for an address that other machines reach without a token, or a port in use
 */
export async function serve(
  flags: ServeFlags & { readonly data: string },
  world: ServeWorld,
): Promise<number> {
  const { host, port } = flags;
  if (world.token === undefined && !["127.0.0.1", "::1", "localhost"].includes(host)) {
    throw new UsageError(
      `--host ${host} requires a token, as other machines may reach it: SRPPO_TOKEN is not set`,
    );
  }
  const root = openDataRoot(flags.data);
  const server = createServer({
    ...flags,
    root,
    stages: world.stages,
    executor: world.executor,
    ...(world.token !== undefined && { token: world.token }),
    log: (ended) => world.print(JSON.stringify(ended)),
  });
  const { length: count } = await world.stages.list();
  let listener: Deno.HttpServer<Deno.NetAddr>;
  try {
    listener = Deno.serve({ hostname: host, port, onListen: () => {} }, server.fetch);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new UsageError(`Port ${port} of ${host} is in use by another process`);
  }
  const address = `http://${socketName(host, listener.addr.port)}`;
  world.print(`Serving ${count} stages on ${address} with files below ${root.path}`);
  await new Promise<void>((resolve) => {
    if (world.stop.aborted) resolve();
    world.stop.addEventListener("abort", () => resolve(), { once: true });
  });
  const stopped = await server.stop();
  await listener.shutdown();
  return stopped > 0 ? EXIT.tryAgain : EXIT.ok;
}

/** Returns `host:port`, with the brackets that IPv6 requires. */
function socketName(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function main(args: readonly string[]): Promise<number> {
  const flags = readServeFlags(args, { PORT: Deno.env.get("PORT") });
  const place = flags.data === undefined
    ? join(projectRoot, "runs")
    : resolve(workingDirectory(), flags.data);
  const socket = socketName(flags.host, flags.port);
  if (Deno.permissions.querySync({ name: "net", host: socket }).state !== "granted") {
    endWithTask();
    if (flags.data === undefined) Deno.mkdirSync(place, { recursive: true });
    // Both spellings if a link leads to the data root: Deno checks a path as it is written.
    const data = [...new Set([place, openDataRoot(place).path])];
    const code = ["deno.json", "deno.lock", "lib", "stages", "node_modules"].map((name) =>
      join(projectRoot, name)
    );
    const permissions = {
      // Every run has its own permission to start what confines its module; this process only looks for it.
      read: [...code, ...data, ...(flags.allowModules ? modulePermissions().read : [])],
      write: data,
      net: [socket],
      env: ["INIT_CWD", "PORT", "SRPPO_TOKEN"],
      run: [Deno.execPath()],
    };
    return await relaunch(new URL(import.meta.url), [...args, "--launched"], permissions, true);
  }
  if (flags.launched) endWithParent();
  return await serve({ ...flags, data: place }, {
    stages,
    executor: processExecutor({ stages, root: projectRoot }),
    token: Deno.env.get("SRPPO_TOKEN") || undefined,
    stop: stopOnSignals(),
    print: (line) => console.log(line),
  });
}

if (import.meta.main) await runCommand(main, HELP);
