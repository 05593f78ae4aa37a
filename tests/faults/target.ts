/**
 * What is killed: a command that is started again until it finishes, and whose results must then be those of an
 * undisturbed run.
 * @module
 */

/** A command that is killed at random moments. */
export interface Target extends AsyncDisposable {
  readonly name: string;
  /** Starts the command, kills it at a random moment, and returns how it ended. */
  kill(fault: Fault): Promise<KillResult>;
  /** Finishes the work of the killed commands. @throws {AssertionError} if the bytes are not those of an undisturbed run */
  compare(): Promise<void>;
}

/** One kill. */
export interface Fault {
  readonly signal: "SIGKILL" | "SIGTERM";
  /** returns a number in [0, 1) */
  readonly random: () => number;
}

/** `interrupted`: the signal ended it; `finished`: it was done before. */
export type KillResult = "interrupted" | "finished";

/** Waits for a time in ms. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Sends a signal to a child, which may have ended. */
export function signal(child: Deno.ChildProcess, name: Fault["signal"]): void {
  try {
    child.kill(name);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}
