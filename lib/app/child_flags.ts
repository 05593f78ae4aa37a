/** Flags of every command that starts processes: `--grace` and `--keep-env`. @module */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { readEnvironment } from "@/lib/data/files/kept_environment.ts";
import type { Flags } from "./flags.ts";
import { DEFAULT_GRACE, LONGEST_GRACE } from "./stopping.ts";

/** Their names, as `readFlags()` takes them. */
export const CHILD_FLAGS = { strings: ["grace"], lists: ["keep-env"] } as const;

/** What they say, checked. */
export interface ChildFlags {
  /** seconds from SIGTERM until what is left is killed */
  readonly grace: number;
  /** names of environment variables that processes of stages get beside the base list */
  readonly keepEnv: readonly string[];
}

/** Reads both flags; adds a problem for each wrong value. */
export function readChildFlags(flags: Flags): ChildFlags {
  const keepEnv = flags.list("keep-env");
  append(flags.problems, keepEnvProblems(keepEnv));
  return { grace: flags.integer("grace", { min: 1, max: LONGEST_GRACE }) ?? DEFAULT_GRACE, keepEnv };
}

/** Returns what is wrong with names of environment variables. */
export function keepEnvProblems(names: readonly string[]): string[] {
  const quoted = (bad: readonly string[]) => listed(bad.map((name) => `"${name}"`), { separator: ", " });
  const bad = names.filter((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  // Deno starts no process with them, as they name libraries that every program loads.
  const libraries = names.filter((name) => /^(?:LD|DYLD)_/i.test(name));
  return [
    ...(bad.length > 0 ? [`--keep-env must be a name of letters, digits and _, got ${quoted(bad)}`] : []),
    ...(libraries.length > 0
      ? [`--keep-env must not begin with LD_ or DYLD_, got ${quoted(libraries)}`]
      : []),
  ];
}

/** Takes both flags out of the arguments of `deno task stage`, whose other flags belong to the stage. */
export function takeChildFlags(
  args: readonly string[],
): { readonly rest: readonly string[]; readonly taken: readonly string[] } {
  const rest: string[] = [], taken: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const isFlag = /^--(?:grace|keep-env)(?:=|$)/.test(args[i]!);
    const words = isFlag && !args[i]!.includes("=") ? args.slice(i, i + 2) : [args[i]!];
    append(isFlag ? taken : rest, words);
    i += words.length - 1;
  }
  return { rest, taken };
}

/** Names that Deno does not pass on unless they are empty. */
const LIBRARY_PATHS = [
  ...["LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT", "LD_DEBUG", "LD_BIND_NOW"],
  ...["DYLD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "DYLD_FALLBACK_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH"],
];

/**
 * Returns the variables of `--keep-env` that are set. This process may not read those that its task does not name: another
 * that may read exactly them prints them.
 */
export async function keptByFlag(names: readonly string[]): Promise<Record<string, string>> {
  const here = readEnvironment(names);
  const rest = names.filter((name) =>
    Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted"
  );
  if (rest.length === 0) return here;
  const script = new URL("print_environment.ts", import.meta.url).href;
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--cached-only", `--allow-env=${rest.join(",")}`, script, ...rest],
    env: Object.fromEntries(LIBRARY_PATHS.map((name) => [name, ""])),
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new UsageError(`--keep-env cannot be read, got ${rest.join(", ")}`);
  return { ...here, ...JSON.parse(new TextDecoder().decode(stdout)) as Record<string, string> };
}
