/** The peak learning rate of a training: given, that of another training times a ratio, or chosen by trials. @module */
import { peakLearningRate } from "@/lib/data/contracts/learning_rate.ts";
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import type { Sequence } from "@/lib/model/train/batching.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { bestLearningRate, runTrials, trialMetrics, trialWarnings } from "./lr_trials.ts";
import type { Objective } from "./objective.ts";
import type { Context } from "./ports.ts";
import type { Training } from "./train.ts";
import type { TrainingProgress } from "./training_progress.ts";

/** What trials need. */
interface TrialInputs extends Pick<Training, "params" | "seed" | "total" | "scratch" | "signal"> {
  readonly network: Network;
  readonly objective: Objective;
  readonly validation: readonly Sequence[] | undefined;
  readonly shown: TrainingProgress;
}

/**
 * Returns the learning rate, and the metrics of the trials that chose it, if there were any.
 * @throws {DataError} if the metrics of `lr_of` have no learning rate, or all trials diverged
 */
export async function learningRateOf(
  { inputs, params, progress }: Pick<Context, "inputs" | "params" | "progress">,
  { network, objective, validation, shown, ...common }: TrialInputs,
): Promise<{ readonly lr: number; readonly rows: readonly MetricRow[] }> {
  if (params.lr !== "auto") return { lr: params.lr, rows: [] };
  if (inputs.lr_of !== undefined) return { lr: params.lr_ratio * peakLearningRate(inputs.lr_of), rows: [] };
  const trials = await runTrials(network, objective, {
    ...common,
    validation: validation!, // the stage's `needs` requires it
    onUpdate: (step, total, metrics, tokens) => shown.update({ step, total, metrics, tokens }),
    onTrial({ lr, loss, updates }) {
      shown.next();
      const fields = { trial_lr: lr, ...(loss === null ? {} : { trial_loss: loss }) };
      const result = loss === null ? "diverged" : `validation loss ${loss.toFixed(4)}`;
      progress({ message: `trial of lr ${lr}: ${result} after ${updates} updates`, fields });
    },
  });
  const lr = bestLearningRate(trials);
  for (const warning of trialWarnings(trials, lr, validation!.length)) progress({ warning });
  return { lr, rows: trialMetrics(trials, common.total) };
}
