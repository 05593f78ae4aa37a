/**
 * `deno task golden`: compares this program with reference results of other implementations.
 * @module
 */
import { resolve } from "node:path";
import { setDefaultPlace } from "@/lib/compute/ort/default_place.ts";
import { openDevice } from "@/lib/compute/devices/devices.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { runCommand } from "@/lib/app/command.ts";
import { readFlags } from "@/lib/app/flags.ts";
import { checkGolden } from "./checks/check_golden.ts";
import { findGoldens } from "./checks/find_goldens.ts";
import { jsonLine, renderLine, renderTotal } from "./checks/render_lines.ts";
import type { CheckLine } from "./checks/tally.ts";
import { workingDirectory } from "@/lib/app/parent.ts";

const HELP =
  `Compares this program with reference results (goldens) of PyTorch, transformers, PEFT and tokenizers.

Usage: deno task golden DIR… [flags]

  DIR            directory of one or more goldens, or a JSON file of PPO reference values
  --device NAME  device that computes: cpu, webgpu (experimental) or auto; default cpu
  --strict       fail where an operator would run on the CPU instead
  --verbose      print the error at every tensor, row or step, and stack traces
  --json         print one JSON object per check, then one with the counts
  --help         print this text

Prints one line per check: largest error, tolerance, and ok or FAIL.
Kinds of goldens: model families (logits, gradients, AdamW steps, greedy decoding), LoRA adapters, calculations
of PPO (rewards, advantages, losses), one iteration of Self-Rewarding PPO, tokenizers, chat templates, layouts of
demonstration files, corrupt files, which must be rejected, and outcomes of benchmarks (IFEval, GSM8K, …).

Examples:
  deno task golden fixtures/goldens
  deno task golden fixtures/goldens/families/llama --verbose
  deno task golden --device webgpu --strict fixtures/goldens

Exit code: 0, 1 if a check failed, 64 for invalid flags, 65 for a path that is not a golden, 69 if the device is not
available.
`;

/** Exit code if a check failed. */
const CHECK_FAILED = 1;

/** Flags of the command, checked. */
export interface GoldenFlags {
  /** goldens, or directories of goldens */
  readonly paths: readonly string[];
  /** print every place, and stack traces */
  readonly verbose: boolean;
  /** print one JSON object per line */
  readonly json: boolean;
  /** value of --device */
  readonly device: string;
  /** no operator runs on the CPU if another device computes */
  readonly strict: boolean;
}

/**
 * Reads the command line.
 * @throws {UsageError} listing all invalid flags
 */
export function readGoldenFlags(args: readonly string[]): GoldenFlags {
  const flags = readFlags(args, { booleans: ["json", "strict"], strings: ["device"] });
  const device = flags.text("device") ?? "cpu";
  if (flags.words.length === 0) flags.problems.push("at least one DIR is required");
  flags.check();
  const [verbose, json, strict] = [flags.has("verbose"), flags.has("json"), flags.has("strict")];
  return { paths: flags.words, verbose, json, device, strict };
}

/** How the report is printed. */
export interface GoldenOutput {
  /** prints one line of the report, with `verbose` several */
  readonly print: (line: string) => void;
  /** prints the stack of an error that became a line */
  readonly printError: (line: string) => void;
  /** with terminal colours */
  readonly colors: boolean;
}

/**
 * Checks all goldens at the paths and prints each check when it is done.
 * @returns exit code: 0, or 1 if a check failed
 * @throws {DataError} before any check, if a path does not exist or is no golden
 */
export async function runGoldens(
  { paths, verbose, json }: Pick<GoldenFlags, "paths" | "verbose" | "json">,
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
  return failed === 0 ? EXIT.ok : CHECK_FAILED;
}

async function main(args: readonly string[]): Promise<number> {
  const flags = readGoldenFlags(args);
  const { device, strict } = flags;
  setDefaultPlace(openDevice(device, { strict, tell: (line) => console.error(line) }));
  const directory = workingDirectory();
  // Paths stay as typed, for messages, unless the task was run from another directory.
  const paths = directory === Deno.cwd() ? flags.paths : flags.paths.map((path) => resolve(directory, path));
  return await runGoldens({ ...flags, paths }, {
    print: (line) => console.log(line),
    printError: (line) => console.error(line),
    colors: Deno.stdout.isTerminal() && !Deno.noColor,
  });
}

if (import.meta.main) await runCommand(main, HELP);
