/**
 * Runs a stage on another machine over SSH. Store, inputs, Deno and the project must be there under the same paths, or
 * under those of the site file: a shared directory.
 * @module
 */
import { dirname, join } from "node:path";
import { childCommand } from "@/lib/data/files/child_command.ts";
import { readEnvironment } from "@/lib/data/files/kept_environment.ts";
import type { Task, TaskControl } from "@/lib/pipeline/engine/task.ts";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { followWorker } from "./attached_worker.ts";
import { quoted } from "./shell_words.ts";
import type { Placement } from "./site.ts";
import { attemptOf, taskEnvironment, workerArguments, type WorkerCode } from "./worker_command.ts";

/** What every SSH connection of a run has in common. */
export interface SshOptions {
  /** absolute path of ssh */
  readonly ssh: string;
  /** code and Deno on the other machine */
  readonly code: WorkerCode;
  readonly deno: string;
  readonly kill?: AbortSignal;
}

/** ssh's own exit code: no connection, or a host key or user that is refused. */
const CONNECTION_FAILED = 255;

/**
 * Runs `task` on the host of `placement` and waits for its end.
 * @throws {UnavailableError} if there is no connection
 */
export async function runOverSsh(
  task: Task,
  control: TaskControl,
  placement: Placement,
  options: SshOptions,
): Promise<void> {
  const taskFile = join(dirname(attemptOf(task)), "task.json");
  await Deno.writeTextFile(taskFile, JSON.stringify(task));
  const words = [options.deno, ...workerArguments(task, taskFile, options.code)];
  // The worker ends with its connection: the end of its input asks it to, and the kernel forces it.
  const remote = `exec env ${
    variables(task)
  } $(command -v setpriv >/dev/null && echo setpriv --pdeathsig KILL) ${quoted(words)}`;
  const args = ["-o", "BatchMode=yes", ...(placement.options ?? []), placement.host!, remote];
  const child = childCommand(options.ssh, args, {
    keep: ["SSH_AUTH_SOCK"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  try {
    await followWorker(child, task, control, options.kill ? { kill: options.kill } : {});
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (!text.includes(`ended with exit code ${CONNECTION_FAILED}`)) throw error;
    const reason = text.split("\n").slice(1).join(" ");
    throw new UnavailableError(`No connection to ${placement.host} for ${task.stage}: ${reason}`, {
      cause: error,
    });
  }
}

/** Returns assignments of the variables that the task needs there: no token is on a command line that others can read. */
function variables(task: Task): string {
  const needed = Object.keys(readEnvironment(taskEnvironment(task)));
  if (needed.length > 0) {
    throw new UnavailableError(
      `${task.stage} needs ${needed.join(", ")}, which is not sent over SSH: run it here`,
    );
  }
  return "NO_COLOR=1";
}
