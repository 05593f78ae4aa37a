/**
 * Saves an unfinished training to the stage's scratch directory: weights, moments and metrics, with their digests. A save
 * that was damaged counts as none, so that the training begins again.
 * @module
 */
import { join } from "node:path";
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import { digestBytes, digestFile } from "@/lib/data/files/digest.ts";
import { publishDirectory } from "@/lib/data/files/publish.ts";
import type { AdamW } from "@/lib/model/train/adamw.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { readVectors, writeVectors } from "@/lib/model/train/optimizer_file.ts";
import type { ModelSelection, SelectionState } from "./selection.ts";

/** Content of progress.json. */
interface Progress {
  readonly updates: number;
  readonly metrics: readonly MetricRow[];
  /** absent without validation losses during training */
  readonly selection?: SelectionState;
}

/** The file progress.json. */
interface ProgressFile {
  readonly progress: Progress;
  readonly digests: { readonly progress: string; readonly vectors: string };
}

const VECTORS = "vectors.safetensors", PROGRESS = "progress.json";

const vectorsOf = ({ parameters }: Network, optimizer: AdamW) => ({
  weights: parameters,
  exp_avg: optimizer.firstMoment,
  exp_avg_sq: optimizer.secondMoment,
});

/** Saves the state after `optimizer.step` updates. */
export function saveProgress(
  scratch: string,
  network: Network,
  optimizer: AdamW,
  { metrics, selection }: {
    readonly metrics: readonly MetricRow[];
    readonly selection: ModelSelection | undefined;
  },
): Promise<void> {
  network.pull();
  optimizer.pull();
  return publishDirectory(join(scratch, "training"), (directory) => {
    writeVectors(join(directory, VECTORS), vectorsOf(network, optimizer));
    const progress: Progress = {
      updates: optimizer.step,
      metrics,
      ...(selection && { selection: selection.state }),
    };
    const digests = {
      progress: digestBytes(JSON.stringify(progress)),
      vectors: digestFile(join(directory, VECTORS)),
    };
    const file: ProgressFile = { progress, digests };
    Deno.writeTextFileSync(join(directory, PROGRESS), JSON.stringify(file));
  });
}

/** Restores a saved state; returns its metrics, or undefined if none was saved or it is damaged, as is the best checkpoint. */
export function restoreProgress(
  scratch: string,
  network: Network,
  optimizer: AdamW,
  selection: ModelSelection | undefined,
): Progress | undefined {
  const directory = join(scratch, "training");
  const saved = readProgress(directory);
  if (saved === undefined) return undefined;
  if (selection && !selection.restore(saved.selection ?? { misses: 0 })) return undefined;
  readVectors(join(directory, VECTORS), vectorsOf(network, optimizer));
  network.push();
  optimizer.push();
  optimizer.step = saved.updates;
  return saved;
}

/** Returns what `directory` has saved, if it is undamaged. */
function readProgress(directory: string): Progress | undefined {
  try {
    const { progress, digests }: ProgressFile = JSON.parse(Deno.readTextFileSync(join(directory, PROGRESS)));
    const isSame = digests.progress === digestBytes(JSON.stringify(progress)) &&
      digests.vectors === digestFile(join(directory, VECTORS));
    return isSame ? progress : undefined;
  } catch {
    // Nothing was saved, it cannot be read, or it is no JSON of this form.
    return undefined;
  }
}
