/**
 * How commands stop. The first Ctrl-C waits for the current step, the second ends everything. SIGTERM sets a deadline. A
 * process whose stage does not yield cannot react, so the launcher above it, which only waits, enforces both.
 * @module
 */
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { installedSetpriv, sendSignal } from "@/lib/data/files/child_command.ts";
import { warn } from "./command.ts";
import { hasStarted } from "./starting.ts";

/** Seconds from SIGTERM until what is left is killed; `--grace` replaces it. */
export const DEFAULT_GRACE = 25;

/** Longest `--grace`: a day. */
export const LONGEST_GRACE = 86_400;

/** Milliseconds that a process has to end by itself after the second Ctrl-C. */
const QUIT_MS = 1000;

/** Printed when a command is interrupted for the first time. */
export const STOP_NOTICE = "Stopping after the current step (press Ctrl-C again to quit immediately)";

/** Printed by a command on Linux without setpriv. */
export const ORPHAN_WARNING =
  "Warning: setpriv is missing, so processes of stages may outlive a command that is killed: install util-linux";

/** Signals that stop a command. Windows has SIGINT only. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"];

/** Milliseconds within which several SIGINT are one Ctrl-C: the terminal sends one, and `deno task` passes on its own. */
const SAME_PRESS_MS = 250;

/** How a command is stopped. */
export interface Stop {
  /** aborted at the first signal: the current step ends, and its work is saved */
  readonly signal: AbortSignal;
  /** aborted shortly before the end of the grace period after SIGTERM: processes of stages are killed */
  readonly kill: AbortSignal;
}

/**
 * Listens to SIGINT, SIGTERM, SIGUSR1 and SIGUSR2. The second SIGINT ends this process immediately: finished work is stored already.
 * @param grace seconds from SIGTERM until the launcher kills this process
 */
export function stopOnSignals(grace: number): Stop {
  const stop = new AbortController(), kill = new AbortController();
  const presses = countPresses();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listen = (name: Deno.Signal) =>
    Deno.addSignalListener(name, () => {
      if (name === "SIGINT" && presses() === 2) Deno.exit(EXIT.tryAgain);
      if (name === "SIGTERM" && timer === undefined) {
        timer = setTimeout(() => kill.abort(), innerGrace(grace) * 1000);
        Deno.unrefTimer(timer as unknown as number);
      }
      if (!stop.signal.aborted) warn(STOP_NOTICE);
      stop.abort();
    });
  STOP_SIGNALS.forEach(listen);
  return { signal: stop.signal, kill: kill.signal };
}

/** Prints a warning where processes could outlive this one. Only the outermost process of a command calls this. */
export function warnIfOrphansArePossible(): void {
  if (Deno.build.os === "linux" && installedSetpriv().length === 0) warn(ORPHAN_WARNING);
}

/** Returns a function to call at each SIGINT; it returns how often Ctrl-C was pressed. */
function countPresses(): () => number {
  let count = 0, last = -Infinity;
  return () => {
    const now = performance.now();
    if (now - last >= SAME_PRESS_MS) {
      count++;
      last = now;
    }
    return count;
  };
}

/** Returns the grace period of a process below one with `grace`: a little shorter, so that it can still report. */
export function innerGrace(grace: number): number {
  return grace - Math.min(1, grace / 10);
}

/**
 * Waits for the end of a child and returns its exit code, 75 where it was stopped by a signal. SIGTERM is
 * passed on, and the others as SIGUSR2: a terminal sends SIGINT to the child itself, and at SIGUSR1 Deno opens a debugger.
 * @param grace seconds from SIGTERM until the child is killed
 */
export async function waitWithSignals(child: Deno.ChildProcess, grace: number): Promise<number> {
  const timers: ReturnType<typeof setTimeout>[] = [];
  const presses = countPresses();
  let stopped = false, isKilling = false, deadline = false;
  const killAfter = (ms: number, why: string) => {
    timers.push(setTimeout(() => {
      warn(`Killed: ${why}. Run the same command to resume`);
      sendSignal(child, "SIGKILL");
    }, ms));
  };
  // A signal soon after the start: the child is still loading and has no listeners.
  const startedAt = performance.now();
  hasStarted((name) => {
    if (performance.now() - startedAt < 100) sendSignal(child, name);
  });
  const listeners = STOP_SIGNALS.map((name) => {
    const pass = () => {
      stopped = true;
      if (Deno.build.os !== "windows") sendSignal(child, name === "SIGTERM" ? "SIGTERM" : "SIGUSR2");
      if (name === "SIGINT" && presses() === 2 && !isKilling) {
        isKilling = true;
        killAfter(QUIT_MS, "Ctrl-C was pressed twice");
      }
      if (name === "SIGTERM" && !deadline) {
        deadline = true;
        killAfter(grace * 1000, `the current step did not end within ${grace} s of SIGTERM (--grace)`);
      }
    };
    Deno.addSignalListener(name, pass);
    return [name, pass] as const;
  });
  try {
    const { code, signal } = await child.status;
    return signal === null ? code : stopped ? EXIT.tryAgain : EXIT.internal;
  } finally {
    timers.forEach(clearTimeout);
    listeners.forEach(([name, pass]) => Deno.removeSignalListener(name, pass));
  }
}
