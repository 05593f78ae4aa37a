/**
 * A worker whose standard input and output are pipes to this process, wherever it runs: it reports progress on the output,
 * `stop` on its input asks it to save and end, and the end of its input, as when this process is gone, ends it.
 * @module
 */
import { sendSignal } from "@/lib/data/files/child_command.ts";
import { EXIT, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { linesOf } from "@/lib/pipeline/engine/lines_of.ts";
import type { Task, TaskControl } from "@/lib/pipeline/engine/task.ts";
import { parseMessage } from "@/lib/pipeline/engine/worker_channel.ts";
import { workerError } from "./worker_errors.ts";

/** How a worker is ended beside the end of its input. */
export interface AttachedOptions {
  /** aborted when all workers must end at once */
  readonly kill?: AbortSignal;
  /** ends what the local process only connects to, such as a container */
  readonly killRemote?: () => void;
}

/** Text that asks a worker to save and end. */
const STOP = new TextEncoder().encode("stop\n");

/**
 * Waits for the end of `child`, the worker of `task`, or the local end of a connection to it.
 * @throws {TryAgainError} if it was interrupted; the error of its exit code if it failed
 */
export async function followWorker(
  child: Deno.ChildProcess,
  task: Task,
  control: TaskControl,
  options: AttachedOptions = {},
): Promise<void> {
  const input = child.stdin.getWriter();
  const stop = () => void input.write(STOP).catch(() => {});
  const end = () => {
    options.killRemote?.();
    sendSignal(child, "SIGKILL");
  };
  const kills = [control.kill, options.kill].filter((kill) => kill !== undefined);
  if (control.signal.aborted) stop();
  control.signal.addEventListener("abort", stop);
  for (const kill of kills) {
    if (kill.aborted) end();
    kill.addEventListener("abort", end);
  }
  let failed: string | undefined;
  try {
    const errors = tail(child.stderr);
    for await (const line of linesOf(child.stdout)) {
      const message = parseMessage(line);
      if (message && "failed" in message) failed = message.failed.message;
      else if (message) control.progress(message.progress);
    }
    const { code, signal } = await child.status;
    if (code === 0) return;
    if (signal !== null && control.signal.aborted) {
      throw new TryAgainError(
        `Interrupted: ${task.stage} was killed, as it did not end in time. Run the same command to resume`,
      );
    }
    const how = `${task.stage} ended with ${signal ?? `exit code ${code}`}`;
    const text = await errors;
    throw workerError(signal === null ? code : EXIT.internal, failed ?? `${how}${text && `\n${text}`}`);
  } finally {
    control.signal.removeEventListener("abort", stop);
    for (const kill of kills) kill.removeEventListener("abort", end);
    await input.close().catch(() => {});
  }
}

/** Returns the last 4,000 characters of a stream. */
async function tail(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) text = (text + part).slice(-4000);
  return text.trim();
}
