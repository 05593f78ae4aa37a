/**
 * Starts Deno again with exactly the permissions that a command needs once its flags are read. A task in deno.json cannot
 * know them: it may read and start Deno, and nothing else.
 * @module
 */
import { allowFlags } from "@/lib/pipeline/engine/allow_flags.ts";
import { hasStarted } from "./starting.ts";
import { EXIT, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

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

/** Runs `module` with `args` under `permissions` and waits for its end. Its standard error is this process's. */
export async function runDeno(
  module: URL,
  args: readonly string[],
  permissions: Permissions,
): Promise<Ended> {
  const { code, signal, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--cached-only", ...permissionFlags(permissions), module.href, ...args],
    stdin: "null",
    stderr: "inherit",
  }).output();
  return { code: signal === null ? code : EXIT.tryAgain, output: new TextDecoder().decode(stdout) };
}

/**
 * Runs `module` with `args` under `permissions` on this terminal, forwards SIGTERM, and returns its exit code.
 *
 * @param lifeline true: the new process gets a pipe as its standard input, which ends when this process does, however
 * it ends
 */
export async function relaunch(
  module: URL,
  args: readonly string[],
  permissions: Permissions,
  lifeline = false,
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--cached-only", ...permissionFlags(permissions), module.href, ...args],
    stdin: lifeline ? "piped" : "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  // A terminal sends SIGINT to the whole process group: the child gets it too, and this process only has to outlive it.
  const forward = () => child.kill("SIGTERM");
  const ignore = () => {};
  Deno.addSignalListener("SIGINT", ignore);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", forward);
  // A signal from before the start of the child has not reached it. Soon after, it is loading and has no listeners.
  const startedAt = performance.now();
  hasStarted((name) => {
    if (performance.now() - startedAt < 100) child.kill(name);
  });
  try {
    const { code, signal } = await child.status;
    if (signal === null) return code;
    // The child had no listener yet.
    return signal === "SIGINT" || signal === "SIGTERM" ? EXIT.tryAgain : EXIT.internal;
  } finally {
    Deno.removeSignalListener("SIGINT", ignore);
    if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGTERM", forward);
  }
}
