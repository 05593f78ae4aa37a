/**
 * The training loop: AdamW on an objective. Every update follows from the seed and its number alone, so an interrupted training
 * resumes with the same result.
 * @module
 */
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import { permutation } from "@/lib/compute/random/shuffle.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { DataError, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { yieldToEventLoop } from "@/lib/model/train/event_loop.ts";
import { batchRows } from "@/lib/model/train/epoch_order.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { quickstartFactor, warmupStepsOf } from "@/lib/model/train/schedule.ts";
import type { BatchMetrics, Objective } from "./objective.ts";
import type { Params } from "./params.ts";
import { restoreProgress, saveProgress } from "./progress_file.ts";
import type { ModelSelection } from "./selection.ts";
import { NonFiniteError } from "./validation_loss.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

/** Milliseconds between saves to the scratch directory, for a run that is killed. */
const SAVE_EVERY_MS = 60_000;

/** What a training needs beside the network and the objective. */
export interface Training {
  readonly params: Params;
  readonly seed: number;
  /** peak learning rate */
  readonly lr: number;
  /** number of updates, if early stopping does not end it */
  readonly total: number;
  /** directory that outlives an interruption */
  readonly scratch: string | undefined;
  readonly signal: AbortSignal;
  /** called after every update with its metrics and the tokens so far */
  readonly onUpdate: (update: number, metrics: Readonly<Record<string, number>>, tokens: number) => void;
  /** writes the model after `update` updates as an intermediate checkpoint */
  readonly checkpoint: (update: number) => Promise<void>;
  /** validation losses during training; undefined: none */
  readonly selection?: ModelSelection | undefined;
  /** called after a validation loss */
  readonly onValidation?: (update: number, loss: number) => void;
}

/**
 * Trains the network and returns the metrics of every update and every validation loss.
 * @throws {NonFiniteError} if loss or gradient norm is not finite
 * @throws {TryAgainError} if a stop was requested; progress is then saved in `scratch`
 */
export async function train(
  network: Network,
  objective: Objective,
  training: Training,
): Promise<MetricRow[]> {
  const { params, total, scratch, signal, onUpdate, checkpoint, selection } = training;
  using optimizer = optimizerOf(network, params);
  const saved = scratch ? restoreProgress(scratch, network, optimizer, selection) : undefined;
  const rows: MetricRow[] = [...saved?.metrics ?? []];
  let savedAt = performance.now(), tokens = 0;
  for (let index = saved?.updates ?? 0; index < total; index++) {
    const { loss, gradNorm: grad_norm, lr, more, tokens: count } = trainingUpdate(
      network,
      optimizer,
      objective,
      { ...training, index },
    );
    const metrics = { loss, grad_norm, lr, ...more };
    for (const [name, value] of Object.entries(metrics)) rows.push({ step: index, name, value });
    onUpdate(index + 1, metrics, tokens += count);
    if (params.checkpoint_every > 0 && (index + 1) % params.checkpoint_every === 0) {
      await checkpoint(index + 1);
    }
    const isBest = await validated(network, training, index + 1, rows);
    await yieldToEventLoop();
    if (index + 1 === total || selection?.stops) break;
    const isDue = isBest || signal.aborted || performance.now() - savedAt > SAVE_EVERY_MS;
    if (scratch && isDue) {
      await saveProgress(scratch, network, optimizer, { metrics: rows, selection });
      savedAt = performance.now();
    }
    // What is saved names the best weights of now only.
    if (isBest) selection?.prune();
    if (signal.aborted) {
      const fate = scratch
        ? "saved. Run the same command to resume"
        : "discarded, because --scratch is not set";
      throw new TryAgainError(`Interrupted: ${index + 1} of ${total} updates are ${fate}`);
    }
  }
  return rows;
}

/** Computes the validation loss if it is due, and returns whether it is a new minimum. */
async function validated(
  network: Network,
  { selection, total, onValidation }: Training,
  updates: number,
  rows: MetricRow[],
): Promise<boolean> {
  if (!selection?.isDue(updates, total)) return false;
  const { loss, isBest } = await selection.evaluate(network, { updates, total });
  rows.push({ step: updates, name: "validation_loss", value: loss });
  onValidation?.(updates, loss);
  return isBest;
}

function optimizerOf(network: Network, params: Params): AdamW {
  const { beta1, beta2, eps: epsilon, weight_decay: weightDecay, max_grad_norm: maxGradNorm } = params;
  return new AdamW(network, {
    beta1,
    beta2,
    epsilon,
    weightDecay,
    maxGradNorm,
  });
}

/** Does update number `index`, from 0. */
function trainingUpdate(
  network: Network,
  optimizer: AdamW,
  objective: Objective,
  { index, total, seed, params, lr: peak }:
    & Pick<Training, "total" | "seed" | "params" | "lr">
    & { readonly index: number },
): BatchMetrics & { readonly gradNorm: number; readonly lr: number } {
  const metrics = objective.accumulate(network, batchRows(seed, objective.rows, params.batch_size, index));
  const lr = peak * quickstartFactor(index, {
    kind: params.schedule,
    totalSteps: total,
    warmupSteps: warmupStepsOf(params.warmup_ratio, total),
    minRatio: params.min_lr_ratio,
  });
  const gradNorm = optimizer.update(lr);
  if (!Number.isFinite(metrics.loss) || !Number.isFinite(gradNorm)) {
    throw new NonFiniteError(
      `Loss and gradient norm must be finite: update ${
        index + 1
      } has loss ${metrics.loss} and gradient norm ${gradNorm} ` +
        "(try a smaller lr)",
    );
  }
  return { ...metrics, gradNorm, lr };
}

/** Returns the rows that a seed's subsample keeps, in their own order. */
export function subsampled<Row>(rows: readonly Row[], seed: number, share: number): readonly Row[] {
  const count = Math.max(1, Math.floor(rows.length * share));
  if (count === rows.length) return rows;
  const drawn = permutation(rows.length, makeKey(seed, "subsample")).slice(0, count).sort();
  return Array.from(drawn, (row) => rows[row]!);
}

/** Returns the rows that {@linkcode subsampled} does not keep, in their own order. */
export function leftOut<Row>(rows: readonly Row[], seed: number, share: number): readonly Row[] {
  const kept = new Set(subsampled(rows, seed, share));
  return rows.filter((row) => !kept.has(row));
}

/** Returns the number of updates by the parameters, without match_updates. */
export function plannedUpdates(
  rows: number,
  { epochs, max_updates, min_updates, batch_size }: Pick<
    Params,
    "epochs" | "max_updates" | "min_updates" | "batch_size"
  >,
): number {
  if (max_updates > 0) return max_updates;
  return Math.max(1, min_updates, Math.round(epochs * Math.ceil(rows / batch_size)));
}

/**
 * Returns the policy updates that a run's iterations made: the largest `policy_updates` of their metrics.
 * @throws {DataError} if no file has this metric
 */
export function matchedUpdates(iterations: readonly (readonly MetricRow[])[]): number {
  const counts = iterations.flat().filter(({ name }) => name === "policy_updates").map(({ value }) => value);
  if (counts.length > 0) return largest(counts);
  throw new DataError("match_updates requires the metric policy_updates, got none in its files");
}
