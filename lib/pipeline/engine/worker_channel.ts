/**
 * The channel from a worker process to its driver: JSON lines on standard output, one per message. The worker's standard
 * input stays open as long as the driver lives, so that a worker ends with a driver that was killed; a line on it asks the
 * worker to save and end. A worker that outlives its driver, such as a job of a cluster, has no input.
 * @module
 */
import { z } from "zod";
import type { StageProgress } from "@/lib/data/contracts/stage.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";

/** A message of a worker. */
const messageSchema = z.union([
  z.strictObject({
    progress: z.strictObject({
      step: z.number().exactOptional(),
      total: z.number().exactOptional(),
      message: z.string().exactOptional(),
      warning: z.string().exactOptional(),
      fields: z.record(z.string(), z.number()).exactOptional(),
    }),
  }),
  z.strictObject({ failed: z.strictObject({ message: z.string(), stack: z.string().exactOptional() }) }),
]);

/** Returns the message in a line of a worker's standard output; undefined for other text, which a stage may print. */
export function parseMessage(line: string): z.output<typeof messageSchema> | undefined {
  try {
    return messageSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** The worker's end. */
export interface WorkerChannel {
  readonly progress: (progress: StageProgress) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Opens the channel on standard input and output.
 * @param unattended false: the process ends when its input does
 */
export function openWorkerChannel(stop: AbortController, unattended: boolean): WorkerChannel {
  const encoder = new TextEncoder();
  const send = (message: unknown) => {
    const bytes = encoder.encode(`${JSON.stringify(message)}\n`);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  };
  const watch = async () => {
    const buffer = new Uint8Array(64);
    while (await Deno.stdin.read(buffer) !== null) stop.abort();
    stop.abort();
    Deno.exit(EXIT.tryAgain);
  };
  if (!unattended) watch();
  return {
    progress: (progress) => send({ progress }),
    failed: (error) => {
      const stack = error instanceof Error && error.stack ? { stack: error.stack } : {};
      send({ failed: { message: error instanceof Error ? error.message : String(error), ...stack } });
    },
  };
}
