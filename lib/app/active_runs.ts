/** The runs in progress on the server: how many may run at a time, and which paths each of them uses. @module */
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";

/** One run in progress. */
export interface ActiveRun {
  /** aborted to interrupt the run: it saves a checkpoint where it can, and ends with exit code 75 */
  readonly controller: AbortController;
  /** aborted at the end of the grace period after that: what still runs must end at once */
  readonly kill: AbortSignal;
  /** must be called when the run has ended */
  readonly release: () => void;
}

/** Why a run cannot start now. */
export interface Refusal {
  readonly status: 409 | 429 | 503;
  readonly message: string;
}

interface Entry extends ActiveRun {
  readonly ended: Promise<void>;
  readonly claims: readonly string[];
}

/** The runs in progress; at most `slots` at a time. An interrupted one must end within `graceMs`. */
export class ActiveRuns {
  readonly #entries = new Set<Entry>();
  #isStopping = false;

  constructor(readonly slots: number, readonly graceMs: number) {}

  get count(): number {
    return this.#entries.size;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /**
   * Starts a run, or returns why it cannot start. Nothing here awaits, so that two requests cannot take one slot or one
   * path.
   * @param claims paths that no other run may use at the same time
   */
  start(stage: string, claims: readonly string[]): ActiveRun | Refusal {
    if (this.#isStopping) return { status: 503, message: `Cannot start ${stage}: the server is stopping` };
    if (this.count >= this.slots) {
      return {
        status: 429,
        message: `Cannot start ${stage}: ${this.count} of ${this.slots} slots are in use`,
      };
    }
    if (
      [...this.#entries].some((entry) =>
        entry.claims.some((claim) => claims.some((it) => overlap(claim, it)))
      )
    ) {
      const message = `Cannot start ${stage}: a run with the same outputs or the same request is in progress`;
      return { status: 409, message };
    }
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const controller = new AbortController(), kill = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    controller.signal.addEventListener("abort", () => timer = setTimeout(() => kill.abort(), this.graceMs));
    const release = () => {
      clearTimeout(timer);
      this.#entries.delete(entry);
      resolve();
    };
    const entry: Entry = { controller, kill: kill.signal, release, ended, claims };
    this.#entries.add(entry);
    return entry;
  }

  /** Interrupts all runs, refuses new ones, and returns how many were in progress when the last of them has ended. */
  async stop(): Promise<number> {
    this.#isStopping = true;
    const entries = [...this.#entries];
    for (const { controller } of entries) {
      controller.abort(new TryAgainError("Interrupted: the server is stopping"));
    }
    await Promise.all(entries.map(({ ended }) => ended));
    return entries.length;
  }
}

/** Returns whether two paths are equal or one is below the other. */
function overlap(a: string, b: string): boolean {
  return `${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`);
}
