/** What every command of this folder shares: how it starts, prints, and ends. @module */
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import { isBrokenPipe, printOut } from "@/lib/data/files/standard_output.ts";
import { EXIT, exitCodeOf } from "@/lib/compute/tensor/errors.ts";

/** An error that a subprocess has printed already: only its exit code is passed on. */
export class PrintedError extends Error {
  override name = "PrintedError";
  constructor(message: string, readonly exitCode: number) {
    super(message);
  }
}

/** Returns whether the arguments ask for help. */
export function isHelp(args: readonly string[]): boolean {
  return args.includes("--help") || args.includes("-h");
}

/**
 * Runs a command with the process's arguments and ends the process with the exit code that it returns. An error is
 * printed as one line on standard error, with `--verbose` as its stack, and ends the process with the code of its class.
 * @param help printed for `--help` and `-h`, instead of running the command
 */
export async function runCommand(
  main: (args: readonly string[]) => number | Promise<number>,
  help?: string,
): Promise<never> {
  try {
    if (help !== undefined && isHelp(Deno.args)) {
      printOut(help);
      Deno.exit(EXIT.ok);
    }
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (error instanceof PrintedError) Deno.exit(error.exitCode);
    // The reader of the output, such as head, has all that it needs.
    if (isBrokenPipe(error)) Deno.exit(EXIT.tryAgain);
    const isVerbose = Deno.args.includes("--verbose");
    const text = error instanceof Error ? (isVerbose && error.stack) || error.message : String(error);
    console.error(escapeControls(text));
    Deno.exit(exitCodeOf(error));
  }
}

/** Prints one line on standard error. */
export function warn(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${escapeControls(text)}\n`));
}
