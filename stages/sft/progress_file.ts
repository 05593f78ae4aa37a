/** A half-done training in the stage's scratch directory: weights, moments and figures after some update. @module */
import { join } from "node:path";
import type { MetricRow } from "@/lib/contracts/metrics.ts";
import { publishDirectory } from "@/lib/files/publish.ts";
import type { ParameterVector } from "@/lib/models/parameters.ts";
import type { AdamW } from "@/lib/train/adamw.ts";
import { readVectors, writeVectors } from "@/lib/train/optimizer_file.ts";

const vectorsOf = (parameters: ParameterVector, optimizer: AdamW) => ({
  weights: parameters,
  exp_avg: optimizer.firstMoment,
  exp_avg_sq: optimizer.secondMoment,
});

/** Keeps the state after `updates` updates. */
export function saveProgress(
  scratch: string,
  parameters: ParameterVector,
  optimizer: AdamW,
  metrics: readonly MetricRow[],
): Promise<void> {
  return publishDirectory(join(scratch, "training"), (directory) => {
    writeVectors(join(directory, "vectors.safetensors"), vectorsOf(parameters, optimizer));
    Deno.writeTextFileSync(
      join(directory, "figures.json"),
      JSON.stringify({ updates: optimizer.step, metrics }),
    );
  });
}

/** Takes up a kept state; gives the figures so far, or undefined where nothing was kept. */
export function restoreProgress(
  scratch: string,
  parameters: ParameterVector,
  optimizer: AdamW,
): { updates: number; metrics: MetricRow[] } | undefined {
  const directory = join(scratch, "training");
  let figures: string;
  try {
    figures = Deno.readTextFileSync(join(directory, "figures.json"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const kept: { updates: number; metrics: MetricRow[] } = JSON.parse(figures);
  readVectors(join(directory, "vectors.safetensors"), vectorsOf(parameters, optimizer));
  optimizer.step = kept.updates;
  return kept;
}
