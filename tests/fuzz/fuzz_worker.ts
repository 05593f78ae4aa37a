/**
 * Reads mutated files with one reader. The number of the case is in shared memory, so that a case that
 * never ends is known.
 * @module
 */
import { exitCodeOf } from "@/lib/compute/tensor/errors.ts";
import { mutated } from "./mutate.ts";
import { READERS } from "./readers.ts";

/** What a worker is started with. */
export interface FuzzTask {
  readonly reader: string;
  readonly from: number;
  readonly to: number;
  readonly directory: string;
  readonly at: SharedArrayBuffer;
}

/** What a worker reports. */
export type FuzzReport =
  | { readonly type: "failed"; readonly number: number; readonly problem: string }
  | { readonly type: "done"; readonly read: number; readonly refused: number };

const SLOW_MS = 5000;

async function run({ reader, from, to, directory, at }: FuzzTask): Promise<void> {
  const { samples, read } = READERS[reader]!, current = new Int32Array(at);
  let refused = 0, good = 0;
  for (let number = from; number < to; number++) {
    Atomics.store(current, 0, number);
    const startedAt = performance.now();
    try {
      await read(mutated(samples, number), directory);
      good++;
    } catch (error) {
      if ([64, 65].includes(exitCodeOf(error))) refused++;
      else report({ type: "failed", number, problem: String((error as Error)?.stack ?? error) });
    }
    const ms = performance.now() - startedAt;
    if (ms > SLOW_MS) report({ type: "failed", number, problem: `took ${Math.round(ms)} ms` });
  }
  report({ type: "done", read: good, refused });
}

function report(message: FuzzReport): void {
  (self as unknown as { postMessage(message: FuzzReport): void }).postMessage(message);
}

addEventListener("message", (event) => run((event as MessageEvent<FuzzTask>).data));
