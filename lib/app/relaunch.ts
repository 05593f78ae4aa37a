/**
 * Starts Deno again with exactly the permissions that a command needs once its flags are read. A task in deno.json cannot
 * know them: it may read and start Deno, and nothing else.
 * @module
 */
import { allowFlags } from "@/lib/pipeline/engine/allow_flags.ts";
import { EXIT, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { childCommand, type ChildOptions, sendSignal } from "@/lib/data/files/child_command.ts";
import { DEFAULT_GRACE, STOP_SIGNALS, waitWithSignals } from "./stopping.ts";

/** What the new process may do; everything else is refused, without a prompt. */
export interface Permissions {
  /** absolute paths */
  readonly read: readonly string[];
  /** absolute paths */
  readonly write: readonly string[];
  /** `host:port` */
  readonly net?: readonly string[];
  /** names of environment variables */
  readonly env?: readonly string[];
  /** kinds of system information, such as `systemMemoryInfo` */
  readonly sys?: readonly string[];
  /** absolute paths of programs that it may start */
  readonly run?: readonly string[];
  /** foreign functions: Deno cannot grant single libraries, as they load others by name */
  readonly ffi?: boolean;
}

/**
 * Returns the flags of Deno that grant `permissions`.
 * @throws {UsageError} for a path with a comma, which Deno's flags do not allow
 */
export function permissionFlags(permissions: Permissions): string[] {
  const { read, write, net = [], env = [], sys = [], run = [], ffi = false } = permissions;
  const lists = Object.entries({ read, write, net, env, sys, run }).filter(([, values]) => values.length > 0);
  const bad = new Set(lists.flatMap(([, values]) => values.filter((value) => value.includes(","))));
  if (bad.size > 0) {
    throw new UsageError(`Paths must not contain a comma, got ${listed([...bad])}`);
  }
  const flags = lists.flatMap(([name, values]) => allowFlags(name, values));
  return ["--no-prompt", ...flags, ...(ffi ? ["--allow-ffi"] : [])];
}

/** How a process ended, and what it wrote to its standard output. */
export interface Ended {
  /** 75 where it was killed by a signal */
  readonly code: number;
  readonly output: string;
}

/**
 * Runs `module` with `args` under `permissions` and waits for its end. Its standard error is this process's, and of the
 * environment it gets the base list and the variables that it may read. A signal to stop ends both.
 */
export async function runDeno(
  module: URL,
  args: readonly string[],
  permissions: Permissions,
): Promise<Ended> {
  const child = denoCommand(module, args, permissions, { stdin: "null", stdout: "piped" }).spawn();
  const quit = () => {
    sendSignal(child, "SIGKILL");
    Deno.exit(EXIT.tryAgain);
  };
  STOP_SIGNALS.forEach((name) => Deno.addSignalListener(name, quit));
  try {
    const { code, signal, stdout } = await child.output();
    return { code: signal === null ? code : EXIT.tryAgain, output: new TextDecoder().decode(stdout) };
  } finally {
    STOP_SIGNALS.forEach((name) => Deno.removeSignalListener(name, quit));
  }
}

/** How {@linkcode relaunch} starts and ends the new process. */
export interface RelaunchOptions {
  /** true: it gets a pipe as its standard input, which ends when this process does, however it ends */
  readonly lifeline?: boolean;
  /** seconds from SIGTERM until it is killed; default 25 */
  readonly grace?: number;
  /** variables of `--keep-env` with their values */
  readonly set?: Readonly<Record<string, string>>;
  /** file that gets its output and errors; default: this terminal */
  readonly log?: string;
}

/**
 * Runs `module` with `args` under `permissions` on this terminal and returns its exit code. Of the environment it gets the
 * base list and the variables that it may read. Signals are passed on; it is killed, with all processes below it, at the
 * end of the grace period and shortly after the second SIGINT.
 */
export async function relaunch(
  module: URL,
  args: readonly string[],
  permissions: Permissions,
  { lifeline = false, grace = DEFAULT_GRACE, set = {}, log }: RelaunchOptions = {},
): Promise<number> {
  const names = Object.keys(set), { env = [] } = permissions;
  const output = log === undefined ? "inherit" : "piped";
  const child = denoCommand(module, args, { ...permissions, env: [...new Set([...env, ...names])] }, {
    stdin: lifeline ? "piped" : "null",
    stdout: output,
    stderr: output,
    set,
  }).spawn();
  if (log === undefined) return await waitWithSignals(child, grace);
  using file = Deno.openSync(log, { create: true, write: true, truncate: true });
  const copies = [child.stdout, child.stderr].map((stream) => copyTo(file, stream));
  const code = await waitWithSignals(child, grace);
  await Promise.all(copies);
  return code;
}

/** Writes what arrives on `stream` to `file`. */
async function copyTo(file: Deno.FsFile, stream: ReadableStream<Uint8Array>): Promise<void> {
  for await (const part of stream) {
    for (let at = 0; at < part.length;) at += file.writeSync(part.subarray(at));
  }
}

function denoCommand(
  module: URL,
  args: readonly string[],
  permissions: Permissions,
  options: ChildOptions,
): Deno.Command {
  const words = ["run", "--cached-only", ...permissionFlags(permissions), module.href, ...args];
  return childCommand(Deno.execPath(), words, {
    stderr: "inherit",
    ...options,
    keep: permissions.env ?? [],
  });
}
