/**
 * Runs a command in the background: `deno task pipeline --detach` returns, and the run continues when the shell and its
 * terminal are closed.
 * @module
 */
import { join } from "node:path";
import { childPrograms } from "@/lib/data/files/child_command.ts";
import { readEnvironment } from "@/lib/data/files/kept_environment.ts";
import { allowFlags } from "@/lib/pipeline/engine/allow_flags.ts";
import { holderOf } from "@/lib/pipeline/engine/run_directory.ts";
import { EXIT, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import type { Permissions, RelaunchOptions } from "./relaunch.ts";

/** What the process in the background runs. */
export interface DetachedCommand {
  /** URL of the module */
  readonly module: string;
  readonly args: readonly string[];
  readonly permissions: Permissions;
  readonly options: RelaunchOptions;
  /** file that gets its output, and its errors */
  readonly log: string;
}

/** How long the run may take to begin: it reads the manifest and waits for a run that is about to end. */
const PATIENCE_MS = 60_000;
const INTERVAL_MS = 100;

/**
 * Starts a run in the background and waits until it holds its run directory.
 * @throws {UsageError} if another run holds it; {UnavailableError} with the end of the log if it ended before
 */
export async function detach(
  command: Omit<DetachedCommand, "log" | "module"> & { readonly module: URL },
  runDir: string,
): Promise<number> {
  const other = holderOf(runDir);
  if (other !== undefined) throw new UsageError(`Run directory ${runDir} is in use by process ${other}`);
  const log = join(runDir, "detached.log"), { env = [] } = command.permissions;
  const names = [...env, ...Object.keys(command.options.set ?? {})];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--cached-only", "--allow-read"],
      ...allowFlags("write", [runDir]),
      ...allowFlags("run", childPrograms()),
      // Which variables exist decides what its own child gets.
      "--allow-env",
      new URL("detached.ts", import.meta.url).href,
    ],
    clearEnv: true,
    env: readEnvironment(names),
    detached: true,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const input = child.stdin.getWriter();
  const sent: DetachedCommand = { ...command, module: command.module.href, log };
  await input.write(new TextEncoder().encode(JSON.stringify(sent)));
  await input.close();
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end && !hasEnded;) {
    const process = holderOf(runDir);
    if (process !== undefined) {
      child.unref();
      printOut(`Runs in the background, in process ${process}. Its state: deno task status ${runDir}\n`);
      return EXIT.ok;
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
  const { code } = hasEnded ? await child.status : { code: EXIT.unavailable };
  const text = endOf(log);
  // A run of which everything is cached may be over already.
  if (code === EXIT.ok) {
    printOut(text);
    return EXIT.ok;
  }
  if (hasEnded) {
    await Deno.stderr.write(new TextEncoder().encode(text));
    return code;
  }
  throw new UnavailableError(`The run did not begin within ${PATIENCE_MS / 1000} s: see ${log}`);
}

/** Returns the last 4,000 characters of a file, or nothing if it does not exist. */
function endOf(path: string): string {
  try {
    return Deno.readTextFileSync(path).slice(-4000);
  } catch {
    return "";
  }
}
