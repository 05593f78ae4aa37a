/** `deno task logs`: the log of one stage of a run. @module */
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import { readRecordedRun } from "@/lib/pipeline/inspect/recorded_run.ts";
import { loggedStage, logLine } from "@/lib/pipeline/inspect/stage_log.ts";
import { EXIT, UsageError } from "@/lib/compute/tensor/errors.ts";
import { runCommand } from "../command.ts";
import { readFlags } from "../flags.ts";
import { namedRun } from "./inspected_run.ts";

const HELP = `Prints the log of one stage of a run: reasons, progress, metrics, warnings and errors.

Usage: deno task logs STAGE [RUN] [flags]

  STAGE      stage of the manifest, such as sft or ppo.update; ppo.update[3] is one iteration
  RUN        run directory; default runs/quickstart

  --follow   continue to print until the run ends
  --json     print events as JSON Lines
  --verbose  print stack traces of errors
  --help     print this text

Examples:
  deno task logs sft
  deno task logs 'ppo.update[3]' runs/align --follow
`;

const INTERVAL_MS = 500;

async function main(args: readonly string[]): Promise<number> {
  const flags = readFlags(args, { booleans: ["follow", "json"], maxWords: 2 });
  const [name, run] = flags.words;
  if (name === undefined) flags.problems.push("STAGE is missing");
  flags.check();
  const runDir = namedRun(run);
  let shown = 0, begun: number | undefined;
  for (;;) {
    const { events, process } = readRecordedRun(runDir);
    const logged = loggedStage(name!, events);
    if (begun !== undefined && begun !== events[0]!.time) {
      throw new UsageError(`Another run began in ${runDir}: run the command again to follow it`);
    }
    begun = events[0]!.time;
    for (const event of events.slice(shown)) {
      const line = logLine(event, logged);
      if (line !== undefined) {
        printOut(`${flags.has("json") ? JSON.stringify(event) : escapeControls(line)}\n`);
      }
    }
    shown = events.length;
    if (!flags.has("follow") || process === undefined) return EXIT.ok;
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}

if (import.meta.main) await runCommand(main, HELP);
