/**
 * A job of Slurm: its batch script, its state, and what it leaves in the directory of its attempt: `messages.jsonl` with the
 * worker's messages, `errors.log`, and `exit` with its exit code, which is there only when the worker has ended.
 * @module
 */
import { join } from "node:path";
import { EXECUTOR_ENVIRONMENT } from "@/lib/data/files/kept_environment.ts";
import { isMissing } from "@/lib/data/files/paths.ts";
import { childCommand } from "@/lib/data/files/child_command.ts";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { quoted } from "./shell_words.ts";
import type { Placement } from "./site.ts";

/** Programs of Slurm that are used, by name with their absolute paths. */
export type SlurmPrograms = Readonly<Record<"sbatch" | "squeue" | "scancel", string>>;

/** States of a job that has not ended: it waits, runs, ends, or is put back into the queue. */
const ALIVE = new Set([
  ...["PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING"],
  ...["REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESIZING", "RESV_DEL_HOLD", "SPECIAL_EXIT"],
]);

/** States of a job that another attempt can replace: its machine, its place or its time was taken. */
const LOST = new Set(["NODE_FAIL", "PREEMPTED", "TIMEOUT", "BOOT_FAIL", "DEADLINE", "REVOKED"]);

/** Seconds before the time limit at which a job is asked to save. */
const WARNING_SECONDS = 60;

/** Returns the batch script of a job. @param words Deno and its arguments @param folder of the attempt */
export function batchScript(words: readonly string[], folder: string): string {
  const file = (name: string) => quoted([join(folder, name)]);
  return `#!/bin/sh
# The worker gets SIGTERM before the time limit, at preemption and at scancel, and saves.
worker=
stopped=
stop() {
  stopped=1
  [ -z "$worker" ] || kill -TERM "$worker" 2>/dev/null
}
trap stop TERM USR1
${quoted(words)} </dev/null >>${file("messages.jsonl")} 2>>${file("errors.log")} &
worker=$!
[ -z "$stopped" ] || stop
while :; do
  wait $worker
  code=$?
  kill -0 $worker 2>/dev/null || break
done
echo $code >${file("exit.partial")}
mv ${file("exit.partial")} ${file("exit")}
exit $code
`;
}

/** Returns the arguments of sbatch for a job. */
export function jobArguments(placement: Placement, name: string, log: string): string[] {
  const { cpus = 1, gpus = 0, time, partition, memory, options = [] } = placement;
  return [
    ...["--parsable", "--requeue", "--open-mode=append", `--job-name=${name}`, `--output=${log}`],
    ...[`--cpus-per-task=${cpus}`, "--nodes=1", "--ntasks=1", `--signal=B:USR1@${WARNING_SECONDS}`],
    ...(memory === undefined ? [] : [`--mem=${memory}`]),
    ...(gpus === 0 ? [] : [`--gres=gpu:${gpus}`]),
    ...(time === undefined ? [] : [`--time=${time}`]),
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
    ...options,
  ];
}

/** The jobs of one cluster. */
export class SlurmQueue {
  constructor(readonly programs: SlurmPrograms) {}

  /** Submits the script in `file` and returns the job's id. @throws {UnavailableError} if Slurm refuses */
  async submit(args: readonly string[], file: string): Promise<string> {
    const text = await this.#output("sbatch", [...args, file]);
    return text.split(";")[0]!.trim();
  }

  /** Returns the state of a job, `RUNNING`; undefined if Slurm has forgotten it. */
  async state(id: string): Promise<string | undefined> {
    try {
      const text = await this.#output("squeue", [
        "--noheader",
        "--states=all",
        `--jobs=${id}`,
        "--format=%T",
      ]);
      return text.trim().split("\n")[0] || undefined;
    } catch (error) {
      if (error instanceof UnavailableError && /Invalid job id/i.test(error.message)) return undefined;
      throw error;
    }
  }

  /** Asks a job to save and end, or ends it now. */
  async cancel(id: string, isGentle: boolean): Promise<void> {
    await this.#output("scancel", isGentle ? ["--batch", "--signal=TERM", id] : [id]).catch(() => {});
  }

  /** Returns whether a state is that of a job that has not ended. */
  isAlive(state: string | undefined): boolean {
    return state !== undefined && ALIVE.has(state);
  }

  /** Returns whether another attempt can replace a job that ended in `state` without an exit code of its worker. */
  isLost(state: string | undefined): boolean {
    return state === undefined || LOST.has(state);
  }

  async #output(program: keyof SlurmPrograms, args: readonly string[]): Promise<string> {
    const command = childCommand(this.programs[program], args, {
      keep: EXECUTOR_ENVIRONMENT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    const { code, stdout, stderr } = await command.output();
    if (code === 0) return new TextDecoder().decode(stdout);
    const reason = new TextDecoder().decode(stderr).trim();
    throw new UnavailableError(`${program} failed with exit code ${code}: ${reason}`);
  }
}

/** Returns the exit code that a job's worker left in `folder`; undefined while there is none. */
export function exitCodeIn(folder: string): number | undefined {
  try {
    return Number(Deno.readTextFileSync(join(folder, "exit")));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
