/**
 * Starts Deno again with exactly the permissions that a command turned out to need, once its flags are read. A task in
 * deno.json cannot know them: it may read and start Deno, and nothing else.
 * @module
 */
import { allowFlags } from "@/lib/pipeline/allow_flags.ts";
import { EXIT, UsageError } from "@/lib/tensor/errors.ts";

/** What the new process may do; what is not named is refused, without a prompt. */
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
  /** Deno grants foreign functions only whole where libraries load others by name */
  readonly ffi?: boolean;
}

/**
 * The command line flags that grant `permissions`.
 * @throws {UsageError} for a path with a comma, which those flags cannot say
 */
export function permissionFlags(permissions: Permissions): string[] {
  const { read, write, net = [], env = [], sys = [], run = [], ffi = false } = permissions;
  const lists = Object.entries({ read, write, net, env, sys, run }).filter(([, values]) => values.length > 0);
  const bad = new Set(lists.flatMap(([, values]) => values.filter((value) => value.includes(","))));
  if (bad.size > 0) {
    throw new UsageError(`Cannot grant a permission as its path must have no comma: ${[...bad].join("; ")}`);
  }
  const flags = lists.flatMap(([name, values]) => allowFlags(name, values));
  return ["--no-prompt", ...flags, ...(ffi ? ["--allow-ffi"] : [])];
}

/**
 * Runs `module` with `args` under `permissions` on this terminal, passes SIGTERM and SIGINT on, and gives its exit code.
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
  // A terminal sends SIGINT to the whole group, so that the child has it already: this process only has to outlive it.
  const forward = () => child.kill("SIGTERM");
  const ignore = () => {};
  Deno.addSignalListener("SIGINT", ignore);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", forward);
  try {
    const { code, signal } = await child.status;
    return signal === null ? code : EXIT.internal;
  } finally {
    Deno.removeSignalListener("SIGINT", ignore);
    if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGTERM", forward);
  }
}
