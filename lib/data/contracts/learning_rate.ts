/**
 * The learning rate of a finished training, for stages that follow it by a fixed ratio: `lr: auto` of `sft` and `ppo-update` with
 * the input `lr_of`.
 * @module
 */
import { largest } from "@/lib/compute/tensor/large_lists.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { readMetrics } from "./metrics.ts";

/**
 * Returns the peak learning rate of the training that wrote the metrics file `path`: its `peak_lr`, or the largest `lr` of its
 * updates.
 * @throws {DataError} if it has neither, for example because the training made no update
 */
export function peakLearningRate(path: string): number {
  const rows = readMetrics(path), named = (name: string) => rows.filter((row) => row.name === name);
  const peak = named("peak_lr").at(-1)?.value ?? largest(named("lr").map(({ value }) => value), 0);
  if (peak > 0) return peak;
  throw new DataError(`${path}: lr_of requires the metric lr of at least one update, got none`, {
    file: path,
  });
}
