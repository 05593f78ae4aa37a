/**
 * The order of runs: a few at a time, preferably of different groups. Runs of one seed share early stages, and a run that
 * needs a stage that another run is making waits for it with its lane idle; runs of different seeds do not.
 * @module
 */

/** How a job ended. */
export type JobEnd = "done" | "failed" | "stopped";

/**
 * Runs `jobs` in their order, as far as groups allow, `lanes` at a time. After a failed job the others still run; once one
 * is stopped, or `signal` is aborted, no more are started, and the running ones are awaited.
 * @param start must not throw
 * @returns ends of the jobs that were started
 */
export async function runQueue<Job extends { readonly group: string }>(
  jobs: readonly Job[],
  { lanes, signal, start }: {
    readonly lanes: number;
    readonly signal: AbortSignal;
    readonly start: (job: Job) => Promise<JobEnd>;
  },
): Promise<ReadonlyMap<Job, JobEnd>> {
  const waiting = [...jobs];
  const inFlight = new Set<Job>();
  const ends = new Map<Job, JobEnd>();
  let isStopped = false;

  function next(): Job | undefined {
    if (isStopped || signal.aborted) return undefined;
    const busy = new Set([...inFlight].map(({ group }) => group));
    const free = waiting.findIndex(({ group }) => !busy.has(group));
    return waiting.splice(Math.max(free, 0), 1)[0];
  }

  async function lane(): Promise<void> {
    for (let job = next(); job !== undefined; job = next()) {
      inFlight.add(job);
      const end = await start(job);
      inFlight.delete(job);
      ends.set(job, end);
      isStopped ||= end === "stopped";
    }
  }

  await Promise.all(Array.from({ length: lanes }, lane));
  return ends;
}
