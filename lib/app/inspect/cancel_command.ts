/** `deno task cancel`: stops a run from another shell, as SIGTERM does. @module */
import { printOut } from "@/lib/data/files/standard_output.ts";
import { holderOf } from "@/lib/pipeline/engine/run_directory.ts";
import { EXIT, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { runCommand } from "../command.ts";
import { readFlags } from "../flags.ts";
import { DEFAULT_GRACE, LONGEST_GRACE } from "../stopping.ts";
import { namedRun } from "./inspected_run.ts";

const HELP = `Stops a run: it saves after the current step and can be resumed.

Usage: deno task cancel [RUN] [flags]

  RUN              run directory; default runs/quickstart

  --grace SECONDS  time to wait for its end; default 30
  --verbose        print stack traces of errors
  --help           print this text

Example:
  deno task cancel runs/align

The run's own --grace decides when processes that still run are killed.
Exit codes: 0 stopped, 64 nothing runs there, 69 it still runs.
`;

const INTERVAL_MS = 100;

async function main(args: readonly string[]): Promise<number> {
  const flags = readFlags(args, { strings: ["grace"], maxWords: 1 });
  const grace = flags.integer("grace", { min: 0, max: LONGEST_GRACE }) ?? DEFAULT_GRACE + 5;
  flags.check();
  const runDir = namedRun(flags.words[0]), process = holderOf(runDir);
  if (process === undefined) throw new UsageError(`No run is in progress in ${runDir}`);
  Deno.kill(launcherOf(process), "SIGTERM");
  for (const end = Date.now() + grace * 1000; holderOf(runDir) === process;) {
    if (Date.now() > end) {
      throw new UnavailableError(`The run in ${runDir} still runs after ${grace} s, in process ${process}`);
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
  printOut(`Stopped the run in ${runDir}: run the same command to resume\n`);
  return EXIT.ok;
}

/** Returns the launcher of a run, which enforces the deadline of SIGTERM; without one, the process of the run itself. */
function launcherOf(process: number): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${process}/status`);
    const parent = Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]);
    const command = Deno.readTextFileSync(`/proc/${parent}/cmdline`);
    return /\/lib\/app\/(start|launcher|detached)\.ts\0/.test(command) ? parent : process;
  } catch {
    // Another system, or the launcher is gone.
    return process;
  }
}

if (import.meta.main) await runCommand(main, HELP);
