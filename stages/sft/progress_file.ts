/** Saves an unfinished training to the stage's scratch directory: weights, moments and metrics. @module */
import { join } from "node:path";
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import { publishDirectory } from "@/lib/data/files/publish.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import type { AdamW } from "@/lib/model/train/adamw.ts";
import { readVectors, writeVectors } from "@/lib/model/train/optimizer_file.ts";

/** Content of progress.json. */
interface Progress {
  readonly updates: number;
  readonly metrics: readonly MetricRow[];
}

const VECTORS = "vectors.safetensors", PROGRESS = "progress.json";

const vectorsOf = (parameters: ParameterVector, optimizer: AdamW) => ({
  weights: parameters,
  exp_avg: optimizer.firstMoment,
  exp_avg_sq: optimizer.secondMoment,
});

/** Saves the state after `optimizer.step` updates. */
export function saveProgress(
  scratch: string,
  parameters: ParameterVector,
  optimizer: AdamW,
  metrics: readonly MetricRow[],
): Promise<void> {
  return publishDirectory(join(scratch, "training"), (directory) => {
    writeVectors(join(directory, VECTORS), vectorsOf(parameters, optimizer));
    const progress: Progress = { updates: optimizer.step, metrics };
    Deno.writeTextFileSync(join(directory, PROGRESS), JSON.stringify(progress));
  });
}

/** Restores a saved state; returns its metrics, or undefined if none was saved. */
export function restoreProgress(
  scratch: string,
  parameters: ParameterVector,
  optimizer: AdamW,
): Progress | undefined {
  const directory = join(scratch, "training");
  let text: string;
  try {
    text = Deno.readTextFileSync(join(directory, PROGRESS));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const saved: Progress = JSON.parse(text);
  readVectors(join(directory, VECTORS), vectorsOf(parameters, optimizer));
  optimizer.step = saved.updates;
  return saved;
}
