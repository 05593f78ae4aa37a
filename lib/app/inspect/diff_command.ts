/** `deno task diff`: how two runs differ in inputs, parameters, code and metrics. @module */
import { printOut } from "@/lib/data/files/standard_output.ts";
import { readRecordedRun } from "@/lib/pipeline/inspect/recorded_run.ts";
import { differenceText, diffRuns } from "@/lib/pipeline/inspect/run_difference.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { runCommand } from "../command.ts";
import { readFlags } from "../flags.ts";
import { escapedLines, namedRun, requireRunLock } from "./inspected_run.ts";

const HELP =
  `Prints how two runs differ: inputs, parameters, code, seed, and the metrics of their evaluations.

Usage: deno task diff RUN RUN [flags]

  RUN        run directory

  --json     print a JSON object
  --verbose  print stack traces of errors
  --help     print this text

Example:
  deno task diff runs/quickstart runs/quickstart-beta

Exit code: 0, also if they differ.
`;

function main(args: readonly string[]): number {
  const flags = readFlags(args, { booleans: ["json"], maxWords: 2 });
  const [a, b] = flags.words;
  if (b === undefined) flags.problems.push("expected two run directories");
  flags.check();
  const [left, right] = [a!, b!].map((word) => {
    const runDir = namedRun(word);
    return { lock: requireRunLock(runDir), events: readRecordedRun(runDir).events };
  });
  const difference = diffRuns(left!, right!);
  const text = escapedLines(differenceText(difference, [a!, b!]));
  printOut(flags.has("json") ? `${JSON.stringify(difference, null, 2)}\n` : text);
  return EXIT.ok;
}

if (import.meta.main) await runCommand(main, HELP);
