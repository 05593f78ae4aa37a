/**
 * Shares the machine's threads among stages that run side by side: a stage that is ready alone gets all of them, several
 * that become ready together share.
 * @module
 */

/** Threads lent to one stage; disposing of the share gives them back. */
export interface ThreadShare extends Disposable {
  readonly threads: number;
}

/** Lends threads. */
export interface ThreadBudget {
  readonly take: () => Promise<ThreadShare>;
}

/**
 * @param threads all there are
 * @param parallel false: one share at a time, with all threads
 */
export function threadBudget(threads: number, parallel: boolean): ThreadBudget {
  const waiting: ((share: ThreadShare) => void)[] = [];
  let free = threads;
  let scheduled = false;

  function grant(): void {
    scheduled = false;
    while (waiting.length > 0 && free > 0 && (parallel || free === threads)) {
      const share = parallel ? Math.max(1, Math.floor(free / waiting.length)) : threads;
      free -= share;
      let held = true;
      waiting.shift()!({
        threads: share,
        [Symbol.dispose](): void {
          if (held) free += share;
          held = false;
          schedule();
        },
      });
    }
  }

  /** Waits a moment before it grants, so that stages made ready by the same event are seen together. */
  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setTimeout(grant, 10);
  }

  return {
    take: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        schedule();
      }),
  };
}
