/**
 * `deno task serve`: the stages over HTTP. Started with no more than the task's permissions it reads its flags and
 * starts itself again with the data root and one socket; that process listens until SIGTERM or SIGINT. Every run is a
 * process of its own with leave for its inputs and outputs only, so that the server answers while stages compute, and
 * memory and crashes of native code end with the run.
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join, resolve } from "node:path";
import { hostOf } from "@/lib/contracts/reached_hosts.ts";
import type { Stage } from "@/lib/contracts/stage.ts";
import { processExecutor } from "@/lib/pipeline/process_executor.ts";
import type { Executor } from "@/lib/pipeline/task.ts";
import { EXIT, UsageError } from "@/lib/tensor/errors.ts";
import { runCommand } from "./command.ts";
import { openDataRoot } from "./data_root.ts";
import { endWithParent, endWithTask, workingDirectory } from "./parent.ts";
import { projectRoot } from "./project_root.ts";
import { listStages, loadStage, stages } from "./registry.ts";
import { relaunch } from "./relaunch.ts";
import { createServer } from "./server.ts";

const HELP =
  `deno task serve [--data DIR] [--host HOST] [--port N] [--threads N] [--cores N] [--max-body BYTES]
                 [--allow-host HOST:PORT …]

Serves the stages over HTTP: GET /healthz, GET /stages, GET /stages/ID, POST /stages/ID (server-sent events).

  --data DIR        the only directory that requests may name files in (default: runs/ of this project)
  --host HOST       address to listen on (default: 127.0.0.1; another one needs SRPPO_TOKEN)
  --port N          port, 0 for a free one (default: PORT, else 8000)
  --threads N       compute threads of one run (default: all cores)
  --cores N         cores that all runs share: cores/threads runs go on at a time (default: all)
  --max-body BYTES  longest request body (default: 1048576)
  --allow-host HOST:PORT
                    a host that parameters such as external_url of score may name; may be given several times
                    (default: none, so that callers cannot make the server ask other machines)

Environment: SRPPO_TOKEN, the bearer token that requests must carry; PORT; SRPPO_URL_TOKEN, the one that is sent to
hosts of --allow-host.
SIGTERM and SIGINT: running stages finish or save a checkpoint; exit code 75 if one was stopped, else 0.
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
  /** started by this command itself, with a pipe that ends when the first process does */
  readonly launched?: boolean;
}

/**
 * Reads the command line.
 * @returns undefined if help is asked for
 * @throws {UsageError} naming every flag that is unknown or out of bounds
 */
export function readServeFlags(
  args: readonly string[],
  env: { readonly PORT?: string | undefined },
): ServeFlags | undefined {
  const problems: string[] = [];
  const string = ["data", "host", "port", "threads", "cores", "max-body"];
  const flags = parseArgs(args, {
    string: [...string, "allow-host", "_"],
    boolean: ["help", "launched"],
    collect: ["allow-host"],
    unknown: (arg) => (problems.push(`unknown argument ${arg}`), false),
  });
  function whole(name: string, fallback: number, min: number, max: number): number {
    const text: string | undefined = flags[name] ?? (name === "port" ? env.PORT : undefined);
    const value = text === undefined ? fallback : /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) {
      problems.push(`--${name} is "${text}", not a whole number from ${min} to ${max}`);
    }
    return value;
  }
  if (flags.help) return undefined;
  const all = navigator.hardwareConcurrency;
  const read = {
    data: flags.data,
    host: flags.host ?? "127.0.0.1",
    port: whole("port", 8000, 0, 65535),
    threads: whole("threads", all, 1, 1024),
    cores: whole("cores", all, 1, 1024),
    maxBodyBytes: whole("max-body", 1 << 20, 1, 1 << 30),
    allowedHosts: (flags["allow-host"] as string[]).flatMap((text) => {
      const host = /^[^/\\?#@]+:\d+$/.test(text) ? hostOf(`http://${text}`) : undefined;
      if (host !== undefined) return [host];
      problems.push(`--allow-host is "${text}", not HOST:PORT`);
      return [];
    }),
    ...(flags.launched && { launched: true }),
  };
  if (problems.length > 0) {
    throw new UsageError(`Cannot serve as the flags must be right: ${problems.join("; ")}`);
  }
  return read;
}

/** Where the server finds stages, its secret, and its end. */
export interface ServeWorld {
  readonly listStages: () => Promise<readonly string[]>;
  readonly loadStage: (id: string) => Promise<Stage>;
  /** where runs compute */
  readonly executor: Executor;
  readonly token?: string | undefined;
  /** aborted when the server is to stop */
  readonly stop: AbortSignal;
  /** one line for a person or a log */
  readonly print: (line: string) => void;
}

/**
 * Listens until `world.stop`, then lets the runs end.
 * @returns exit code: 75 if a run was stopped, else 0
 * @throws {UsageError} for an address that others reach and no token, or a port that is taken
 */
export async function serve(
  flags: ServeFlags & { readonly data: string },
  world: ServeWorld,
): Promise<number> {
  const { host, port, threads, cores, maxBodyBytes, allowedHosts } = flags;
  if (world.token === undefined && !["127.0.0.1", "::1", "localhost"].includes(host)) {
    throw new UsageError(
      `Cannot serve on ${host} as others may reach it and a token must be set: SRPPO_TOKEN is not set`,
    );
  }
  const root = openDataRoot(flags.data);
  const server = createServer({
    root,
    threads,
    cores,
    maxBodyBytes,
    allowedHosts,
    listStages: world.listStages,
    loadStage: world.loadStage,
    executor: world.executor,
    ...(world.token !== undefined && { token: world.token }),
    log: (ended) => world.print(JSON.stringify(ended)),
  });
  const { length: count } = await world.listStages();
  let listener: Deno.HttpServer<Deno.NetAddr>;
  try {
    listener = Deno.serve({ hostname: host, port, onListen: () => {} }, server.fetch);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new UsageError(
      `Cannot serve on ${host}:${port} as the port must be free: another process listens there`,
    );
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

/** `host:port`, with the brackets that IPv6 needs. */
function socketName(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function main(): Promise<number> {
  const flags = readServeFlags(Deno.args, { PORT: Deno.env.get("PORT") });
  if (flags === undefined) {
    console.log(HELP);
    return EXIT.ok;
  }
  const place = flags.data === undefined
    ? join(projectRoot, "runs")
    : resolve(workingDirectory(), flags.data);
  const socket = socketName(flags.host, flags.port);
  if (Deno.permissions.querySync({ name: "net", host: socket }).state !== "granted") {
    endWithTask();
    if (flags.data === undefined) Deno.mkdirSync(place, { recursive: true });
    // Both spellings where a link leads to the data root: Deno judges a path as it is written.
    const data = [...new Set([place, openDataRoot(place).path])];
    const code = ["deno.json", "deno.lock", "lib", "stages", "node_modules"].map((name) =>
      join(projectRoot, name)
    );
    const permissions = {
      read: [...code, ...data],
      write: data,
      net: [socket],
      env: ["INIT_CWD", "PORT", "SRPPO_TOKEN"],
      run: [Deno.execPath()],
    };
    return await relaunch(new URL(import.meta.url), [...Deno.args, "--launched"], permissions, true);
  }
  if (flags.launched) endWithParent();
  return await serve({ ...flags, data: place }, {
    listStages,
    loadStage,
    executor: processExecutor({ stages, root: projectRoot }),
    token: Deno.env.get("SRPPO_TOKEN") || undefined,
    stop: stopOnSignals(),
    print: (line) => console.log(line),
  });
}

/** Aborted at the first SIGINT or SIGTERM; the second one ends the process, as it would have done without a listener. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    if (Deno.build.os === "windows" && signal === "SIGTERM") continue;
    Deno.addSignalListener(signal, () => stop.signal.aborted ? Deno.exit(EXIT.tryAgain) : stop.abort());
  }
  return stop.signal;
}

if (import.meta.main) await runCommand(main);
