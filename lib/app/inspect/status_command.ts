/** `deno task status`: the state of a run and of its stages, from any shell. @module */
import { printOut } from "@/lib/data/files/standard_output.ts";
import { readRecordedRun } from "@/lib/pipeline/inspect/recorded_run.ts";
import { type RunStatus, runStatus, statusText } from "@/lib/pipeline/inspect/run_status.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { runCommand } from "../command.ts";
import { readFlags } from "../flags.ts";
import { escapedLines, namedRun } from "./inspected_run.ts";

const HELP = `Prints the state of a run and of each of its stages.

Usage: deno task status [RUN] [flags]

  RUN        run directory; default runs/quickstart

  --watch    print again every 2 seconds until the run ends
  --json     print one JSON object a line
  --verbose  print stack traces of errors
  --help     print this text

Examples:
  deno task status
  deno task status runs/align --watch

Exit codes: 0 running or finished, 1 failed, 75 interrupted or killed (run the same command again to resume),
64 no run there.
`;

const INTERVAL_MS = 2000;
const CODES: Readonly<Record<RunStatus["state"], number>> = {
  running: EXIT.ok,
  finished: EXIT.ok,
  failed: 1,
  interrupted: EXIT.tryAgain,
  killed: EXIT.tryAgain,
};

async function main(args: readonly string[]): Promise<number> {
  const flags = readFlags(args, { booleans: ["watch", "json"], maxWords: 1 });
  flags.check();
  const runDir = namedRun(flags.words[0]);
  for (;;) {
    const status = runStatus(readRecordedRun(runDir), Date.now());
    printOut(flags.has("json") ? `${JSON.stringify(status)}\n` : escapedLines(statusText(status)));
    if (!flags.has("watch") || status.state !== "running") return CODES[status.state];
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}

if (import.meta.main) await runCommand(main, HELP);
