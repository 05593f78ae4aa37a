/** How every command of this folder ends. @module */
import { exitCodeOf } from "@/lib/tensor/errors.ts";

/** An error that a process below has told already: its exit code is all that is left to pass on. */
export class ToldError extends Error {
  override name = "ToldError";
  constructor(message: string, readonly exitCode: number) {
    super(message);
  }
}

/**
 * Runs a command with the process's arguments and ends the process with the exit code that it gives. An error is one line on
 * standard error, with `--verbose` its stack, and the exit code of its class.
 */
export async function runCommand(
  main: (args: readonly string[]) => number | Promise<number>,
): Promise<never> {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (error instanceof ToldError) Deno.exit(error.exitCode);
    const isVerbose = Deno.args.includes("--verbose");
    console.error(error instanceof Error ? (isVerbose && error.stack) || error.message : error);
    Deno.exit(exitCodeOf(error));
  }
}
