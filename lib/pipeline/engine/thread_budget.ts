/**
 * Shares the machine's threads among stages that run at the same time: a stage that is ready alone gets all of them,
 * several that become ready together share.
 * @module
 */

/** Threads lent to one stage; disposing of the share returns them. */
interface ThreadShare extends Disposable {
  readonly threads: number;
}

/** Lends threads. */
export class ThreadBudget {
  readonly #waiting: ((share: ThreadShare) => void)[] = [];
  #free: number;
  #isScheduled = false;

  /**
   * @param threads all threads
   * @param parallel false: one share at a time, with all threads
   */
  constructor(readonly threads: number, readonly parallel: boolean) {
    this.#free = threads;
  }

  /** Waits for a share. @param elsewhere threads of a stage that runs on another machine: it takes none of these */
  take(elsewhere?: number): Promise<ThreadShare> {
    if (elsewhere !== undefined) return Promise.resolve({ threads: elsewhere, [Symbol.dispose]: () => {} });
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  /** Grants a moment later, so that stages made ready by the same event are seen together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setTimeout(() => this.#grant(), 10);
  }

  #grant(): void {
    this.#isScheduled = false;
    while (this.#waiting.length > 0 && this.#free > 0 && (this.parallel || this.#free === this.threads)) {
      const threads = this.parallel
        ? Math.max(1, Math.floor(this.#free / this.#waiting.length))
        : this.threads;
      this.#free -= threads;
      let isHeld = true;
      this.#waiting.shift()!({
        threads,
        [Symbol.dispose]: () => {
          if (isHeld) this.#free += threads;
          isHeld = false;
          this.#schedule();
        },
      });
    }
  }
}
