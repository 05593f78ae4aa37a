/** What every command of this folder shares: how it starts, how it is interrupted, and how it ends. @module */
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

/** Printed when a command is interrupted for the first time. */
export const STOP_NOTICE = "Stopping after the current step (press Ctrl-C again to quit immediately)";

/**
 * Returns a signal that is aborted at the first SIGINT, SIGTERM or SIGUSR1. A second SIGINT ends the process immediately:
 * finished work is stored already.
 */
export function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  const listen = (name: Deno.Signal) =>
    Deno.addSignalListener(name, () => {
      if (stop.signal.aborted && name === "SIGINT") Deno.exit(EXIT.tryAgain);
      if (!stop.signal.aborted) warn(STOP_NOTICE);
      stop.abort();
    });
  listen("SIGINT");
  if (Deno.build.os !== "windows") ["SIGTERM" as const, "SIGUSR1" as const].forEach(listen);
  return stop.signal;
}
