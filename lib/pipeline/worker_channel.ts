/**
 * How a worker talks to its driver: JSON lines on standard output, one per message. Its standard input stays open as
 * long as the driver lives, so that a worker does not outlive a driver that was killed.
 * @module
 */
import { z } from "zod";
import type { StageProgress } from "@/lib/contracts/stage.ts";

/** A message of a worker. */
export const workerMessageSchema = z.union([
  z.strictObject({
    progress: z.strictObject({
      step: z.number().optional(),
      total: z.number().optional(),
      message: z.string().optional(),
      warning: z.string().optional(),
      fields: z.record(z.string(), z.number().nullable()).optional(),
    }),
  }),
  z.strictObject({ failed: z.strictObject({ message: z.string(), stack: z.string().optional() }) }),
]);

/** The worker's end. */
export interface WorkerChannel {
  readonly progress: (progress: StageProgress) => void;
  readonly failed: (error: unknown) => void;
}

/** Opens the channel on standard input and output; the process ends when the driver is gone. */
export function workerChannel(stop: AbortController): WorkerChannel {
  const encoder = new TextEncoder();
  const say = (message: unknown) => {
    const bytes = encoder.encode(`${JSON.stringify(message)}\n`);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  };
  const watch = async () => {
    const buffer = new Uint8Array(64);
    while (await Deno.stdin.read(buffer) !== null);
    stop.abort();
    Deno.exit(75);
  };
  watch();
  return {
    progress: (progress) => say({ progress }),
    failed: (error) => {
      const message = error instanceof Error ? error.message : String(error);
      say({ failed: { message, ...(error instanceof Error && error.stack ? { stack: error.stack } : {}) } });
    },
  };
}
