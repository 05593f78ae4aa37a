/**
 * `deno task golden`: compares this program with reference results of other implementations, one line per check.
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { resolve } from "node:path";
import { EXIT, UsageError } from "@/lib/tensor/errors.ts";
import { runCommand } from "./command.ts";
import { checkGolden } from "./golden/check_golden.ts";
import { findGoldens } from "./golden/find_goldens.ts";
import { jsonLine, renderLine, renderTotal } from "./golden/render_lines.ts";
import type { CheckLine } from "./golden/tally.ts";
import { workingDirectory } from "./parent.ts";

const HELP = `deno task golden DIR… [--verbose] [--json]

Compares this program with golden results: model families (logits, gradients, AdamW steps, greedy continuations),
PPO topics, a whole Self-Rewarding PPO iteration, tokenizers, chat templates, layouts of demonstrations, corrupt files
that must be refused. DIR is one golden, the file of a topic, or a folder that holds goldens at any depth. One line per
check: largest error, bar, ok or FAIL.

  --verbose  the error at every place (tensor, row, step), and stack traces
  --json     one JSON object per check, and one with the counts

Exit code: 1 if a check fell short, 64 for wrong arguments, 65 for a path that is no golden.
`;

/** A check fell short. */
const FELL_SHORT = 1;

/** Flags of the command, checked. */
export interface GoldenFlags {
  /** goldens, or folders of them */
  readonly paths: readonly string[];
  /** every place, and stack traces */
  readonly verbose: boolean;
  /** one JSON object per line */
  readonly json: boolean;
}

/**
 * Reads the command line.
 * @returns undefined if help is asked for
 * @throws {UsageError} naming every flag that is unknown, or if there is no path
 */
export function readGoldenFlags(args: readonly string[]): GoldenFlags | undefined {
  const unknown: string[] = [];
  const flags = parseArgs(args, {
    boolean: ["verbose", "json", "help"],
    unknown: (arg, key) => key === undefined || (unknown.push(arg), false),
  });
  if (flags.help) return undefined;
  if (unknown.length > 0) {
    throw new UsageError(
      `Cannot check as the flags must be --verbose, --json or --help: ${unknown.join(", ")}`,
    );
  }
  if (flags._.length === 0) {
    throw new UsageError(
      "Cannot check as at least one folder with goldens must be given: there is none; see --help",
    );
  }
  return { paths: flags._.map(String), verbose: flags.verbose, json: flags.json };
}

/** Where the report goes. */
export interface GoldenOutput {
  /** takes one line of the report; with `verbose` several in one text */
  readonly print: (line: string) => void;
  /** takes the stack of an error that became a line */
  readonly printError: (line: string) => void;
  /** the report goes to a terminal */
  readonly colors: boolean;
}

/**
 * Checks all goldens at the paths and prints a line for each as it is done.
 * @returns exit code: 0, or 1 if a check fell short
 * @throws {DataError} if a path does not exist or is no golden; then nothing is checked
 */
export async function runGoldens(
  { paths, verbose, json }: GoldenFlags,
  output: GoldenOutput,
): Promise<number> {
  const goldens = paths.flatMap(findGoldens);
  const nameWidth = Math.max(...goldens.map(({ name }) => name.length));
  const lines: CheckLine[] = [];
  for (const golden of goldens) {
    const found = await checkGolden(golden, (error) => {
      if (verbose && error instanceof Error) output.printError(error.stack ?? error.message);
    });
    for (const line of found) {
      output.print(
        json
          ? jsonLine(golden, line)
          : renderLine(golden, line, { colors: output.colors, verbose, nameWidth }),
      );
    }
    lines.push(...found);
  }
  const failed = lines.filter(({ ok }) => !ok).length;
  output.print(
    json
      ? JSON.stringify({ goldens: goldens.length, checks: lines.length, failed })
      : renderTotal(goldens.length, lines, output.colors),
  );
  return failed === 0 ? EXIT.ok : FELL_SHORT;
}

async function main(): Promise<number> {
  const flags = readGoldenFlags(Deno.args);
  if (!flags) {
    console.log(HELP);
    return EXIT.ok;
  }
  const directory = workingDirectory();
  // Paths stay as they were typed, for messages, unless the task was called from another folder.
  const paths = directory === Deno.cwd() ? flags.paths : flags.paths.map((path) => resolve(directory, path));
  return await runGoldens({ ...flags, paths }, {
    print: (line) => console.log(line),
    printError: (line) => console.error(line),
    colors: Deno.stdout.isTerminal() && !Deno.noColor,
  });
}

if (import.meta.main) await runCommand(main);
