/** `deno task lineage`: where a file or model of a run came from, back to the demonstrations. @module */
import { dirname, join, resolve } from "node:path";
import { exists } from "@/lib/data/files/paths.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import { readRecords } from "@/lib/pipeline/engine/store.ts";
import { readTree } from "@/lib/pipeline/engine/tree.ts";
import { lineageOf, lineageText } from "@/lib/pipeline/inspect/lineage.ts";
import { EXIT, UsageError } from "@/lib/compute/tensor/errors.ts";
import { runCommand } from "../command.ts";
import { readFlags } from "../flags.ts";
import { workingDirectory } from "../parent.ts";
import { escapedLines, namedRun, requireRunLock, storeOf } from "./inspected_run.ts";

const HELP = `Prints what made a file or model: stages with parameters and digests, back to the user's files.

Usage: deno task lineage PATH [flags]

  PATH           file or model directory with the content of a result, by its bytes

  --run-dir DIR  run directory; default the one that contains PATH
  --store DIR    store of the run; default <run dir>/store
  --json         print a JSON object
  --verbose      print stack traces of errors
  --help         print this text

Example:
  deno task lineage runs/quickstart/outputs/policy

Exit codes: 0, 64 invalid flags, 65 no result in the store has these bytes.
`;

function main(args: readonly string[]): number {
  const flags = readFlags(args, { booleans: ["json"], strings: ["run-dir", "store"], maxWords: 1 });
  const [word] = flags.words;
  if (word === undefined) flags.problems.push("PATH is missing");
  flags.check();
  const path = resolve(workingDirectory(), word!), named = flags.text("run-dir");
  const runDir = named === undefined ? runAround(path) : namedRun(named);
  const lock = requireRunLock(runDir), records = readRecords(storeOf(runDir, flags.text("store")));
  const lineage = lineageOf(readTree(path).digest, { records, lock, path: word! });
  const text = escapedLines(lineageText(lineage, word!));
  printOut(flags.has("json") ? `${JSON.stringify(lineage, null, 2)}\n` : text);
  return EXIT.ok;
}

/** Returns the run directory that contains `path`. @throws {UsageError} if there is none */
function runAround(path: string): string {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (exists(join(folder, "run.lock.yaml"))) return folder;
  }
  throw new UsageError(`No run directory contains ${path}: name it with --run-dir`);
}

if (import.meta.main) await runCommand(main, HELP);
