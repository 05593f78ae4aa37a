/**
 * Runs a stage as a job of Slurm. The job needs neither this process nor its machine: a driver that was killed and started
 * again finds the job by `job.json` beside the attempts of its action and waits for it. Store, inputs, Deno and the project
 * must be in a directory that the nodes share, under the same paths or those of the site file.
 * @module
 */
import { dirname, join } from "node:path";
import type { StageProgress } from "@/lib/data/contracts/stage.ts";
import { isMissing } from "@/lib/data/files/paths.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import { EXIT, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import type { Task, TaskControl } from "@/lib/pipeline/engine/task.ts";
import { parseMessage } from "@/lib/pipeline/engine/worker_channel.ts";
import { batchScript, exitCodeIn, jobArguments, type SlurmQueue } from "./slurm_job.ts";
import type { Placement } from "./site.ts";
import { attemptOf, taskEnvironment, workerArguments, type WorkerCode } from "./worker_command.ts";
import { workerError } from "./worker_errors.ts";

/** What every job of a run has in common. */
export interface SlurmOptions {
  readonly queue: SlurmQueue;
  /** code and Deno on the nodes */
  readonly code: WorkerCode;
  readonly deno: string;
  readonly kill?: AbortSignal;
}

/** A job ran out of memory: another attempt gets twice as much. */
export class OutOfMemory extends TryAgainError {
  override name = "OutOfMemory";
}

/** Milliseconds between looking at the files of a job, and between asking Slurm. */
const FILES_MS = 200, QUEUE_MS = 1000;

/** A submitted job: `job.json`. */
interface SubmittedJob {
  readonly id: string;
  /** directory of its attempt */
  readonly attempt: string;
}

/**
 * Runs `task` as a job and waits for its end.
 * @throws {TryAgainError} if the job was interrupted or lost; {OutOfMemory}; the error of its exit code if it failed
 */
export async function runAsJob(
  task: Task,
  control: TaskControl,
  placement: Placement,
  options: SlurmOptions,
): Promise<void> {
  const file = join(dirname(attemptOf(task)), "job.json");
  const job = await findJob(file, options) ?? await submit(task, control, placement, file, options);
  await new JobFollower(job, task, control, options).untilItEnds();
  // Only now: an interrupted driver leaves the job to the next one.
  removeIfThere(file);
  takeOutputs(job, task);
}

/** Returns a job that an earlier driver submitted for this action, if it has not failed. */
async function findJob(file: string, { queue }: SlurmOptions): Promise<SubmittedJob | undefined> {
  let job: SubmittedJob;
  try {
    job = JSON.parse(Deno.readTextFileSync(file)) as SubmittedJob;
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
  const code = exitCodeIn(logFolder(job.attempt));
  if (code === EXIT.ok || (code === undefined && queue.isAlive(await queue.state(job.id)))) return job;
  // Slurm puts a job whose node was lost back into its queue, also if the job has ended by itself.
  await queue.cancel(job.id, false);
  removeIfThere(logFolder(job.attempt));
  return undefined;
}

async function submit(
  task: Task,
  control: TaskControl,
  placement: Placement,
  file: string,
  { queue, code, deno }: SlurmOptions,
): Promise<SubmittedJob> {
  if (taskEnvironment(task).length > 0) {
    throw new UsageError(
      `${task.stage} connects to a host with a token, which is not given to jobs: run it here`,
    );
  }
  const attempt = attemptOf(task), folder = logFolder(attempt), taskFile = join(folder, "task.json");
  Deno.mkdirSync(folder, { recursive: true });
  await Deno.writeTextFile(taskFile, JSON.stringify({ ...task, unattended: true }));
  const script = join(folder, "job.sh");
  await Deno.writeTextFile(script, batchScript([deno, ...workerArguments(task, taskFile, code)], folder));
  const name = `srppo-${control.node ?? task.stage}`;
  const args = jobArguments(
    { ...placement, cpus: placement.cpus ?? task.threads },
    name,
    join(folder, "slurm.log"),
  );
  const job = { id: await queue.submit(args, script), attempt };
  await Deno.writeTextFile(`${file}.partial`, JSON.stringify(job));
  await Deno.rename(`${file}.partial`, file);
  return job;
}

/** Follows one job. */
class JobFollower {
  #read = 0;
  #rest = "";
  #failed: string | undefined;

  constructor(
    readonly job: SubmittedJob,
    readonly task: Task,
    readonly control: TaskControl,
    readonly options: SlurmOptions,
  ) {}

  /** Waits for the end of the job. @throws the error of a job that did not succeed */
  async untilItEnds(): Promise<void> {
    const { control: { signal, kill }, options, job } = this;
    const stop = () => void options.queue.cancel(job.id, true),
      end = () => void options.queue.cancel(job.id, false);
    const kills = [kill, options.kill].filter((signal) => signal !== undefined);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    for (const kill of kills) kill.addEventListener("abort", end);
    try {
      const code = await this.#exitCode();
      this.#readMessages();
      if (code !== EXIT.ok) {
        throw workerError(code, this.#failed ?? this.#errors(`ended with exit code ${code}`));
      }
    } finally {
      signal.removeEventListener("abort", stop);
      for (const kill of kills) kill.removeEventListener("abort", end);
    }
  }

  /** Waits for the exit code of the worker. @throws {TryAgainError} if the job ended without one */
  async #exitCode(): Promise<number> {
    const folder = logFolder(this.job.attempt), { queue } = this.options;
    for (let asked = performance.now();;) {
      this.#readMessages();
      const code = exitCodeIn(folder);
      if (code !== undefined) return code;
      if (performance.now() - asked >= QUEUE_MS) {
        asked = performance.now();
        const state = await queue.state(this.job.id);
        // The file may have come while Slurm was asked, and may take a while to be seen on a shared directory.
        if (!queue.isAlive(state)) return await this.#lateExitCode(folder, state);
      }
      await new Promise((resolve) => setTimeout(resolve, FILES_MS));
    }
  }

  async #lateExitCode(folder: string, state: string | undefined): Promise<number> {
    for (let i = 0; i < 10; i++) {
      const code = exitCodeIn(folder);
      if (code !== undefined) return code;
      await new Promise((resolve) => setTimeout(resolve, FILES_MS));
    }
    const name = `Job ${this.job.id} of ${this.control.node ?? this.task.stage}`,
      how = state ?? "unknown to Slurm";
    if (state === "OUT_OF_MEMORY") throw new OutOfMemory(`${name} ran out of memory`);
    if (this.control.signal.aborted || state === "CANCELLED") {
      throw new TryAgainError(`${name} was cancelled`);
    }
    if (this.options.queue.isLost(state)) throw new TryAgainError(`${name} was lost: ${how}`);
    throw workerError(EXIT.internal, this.#errors(`is ${how} and left no exit code`));
  }

  /** Passes on the messages that the worker has written since the last call. */
  #readMessages(): void {
    let text: string;
    try {
      using file = Deno.openSync(join(logFolder(this.job.attempt), "messages.jsonl"), { read: true });
      file.seekSync(this.#read, Deno.SeekMode.Start);
      const buffer = new Uint8Array(file.statSync().size - this.#read), count = file.readSync(buffer) ?? 0;
      this.#read += count;
      text = this.#rest + new TextDecoder().decode(buffer.subarray(0, count));
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    const lines = text.split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const message = parseMessage(line);
      if (message && "failed" in message) this.#failed = message.failed.message;
      else if (message) this.control.progress(message.progress as StageProgress);
    }
  }

  /** Returns a message with the end of the job's errors. */
  #errors(problem: string): string {
    const read = (name: string) => {
      try {
        return Deno.readTextFileSync(join(logFolder(this.job.attempt), name)).trim().slice(-4000);
      } catch {
        return "";
      }
    };
    const text = [read("errors.log"), read("slurm.log")].filter((part) => part !== "").join("\n");
    return `Job ${this.job.id} of ${this.task.stage} ${problem}${text && `\n${text}`}`;
  }
}

/** Returns the directory of what a job writes beside its outputs. */
function logFolder(attempt: string): string {
  return `${attempt}.log`;
}

/** Moves the outputs of a job that an earlier driver submitted to where this one expects them. */
function takeOutputs(job: SubmittedJob, task: Task): void {
  const attempt = attemptOf(task);
  if (job.attempt === attempt) return;
  removeIfThere(attempt);
  Deno.renameSync(job.attempt, attempt);
}
