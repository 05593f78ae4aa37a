/**
 * The choice of a learning rate by short trainings: all begin with the same weights and use the same batches, so that they differ in
 * the learning rate only. The lowest validation loss wins, of equal ones the smaller rate.
 * @module
 */
import { join } from "node:path";
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import { digestJson } from "@/lib/data/files/digest.ts";
import { publishFile } from "@/lib/data/files/publish.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Sequence } from "@/lib/model/train/batching.ts";
import type { Network } from "@/lib/model/train/network.ts";
import type { Objective } from "./objective.ts";
import { train, type Training } from "./train.ts";
import { NonFiniteError, validationLoss } from "./validation_loss.ts";

/** The trial of one learning rate. */
export interface Trial {
  readonly lr: number;
  /** validation loss at its end, nats per supervised token; null: it diverged */
  readonly loss: number | null;
  readonly updates: number;
}

/** What the trials need beside the network and the objective. */
export interface TrialOptions extends Pick<Training, "params" | "seed" | "total" | "scratch" | "signal"> {
  readonly validation: readonly Sequence[];
  /** called after every update with the number of it among those of all trials, and the tokens of this trial */
  readonly onUpdate: (
    update: number,
    total: number,
    metrics: Readonly<Record<string, number>>,
    tokens: number,
  ) => void;
  /** called after every trial that this process ran */
  readonly onTrial: (trial: Trial) => void;
}

const FILE = "lr_trials.json";

/**
 * Trains with every value of `lr_values` for `lr_trial_updates` updates, at most `total`, and restores the weights. Each trial has a
 * whole schedule of its own.
 * @throws {TryAgainError} if a stop was requested; finished trials are then saved in `scratch`, as is the unfinished one
 */
export async function runTrials(
  network: Network,
  objective: Objective,
  options: TrialOptions,
): Promise<readonly Trial[]> {
  const { params, scratch } = options, { data } = network.parameters;
  const trials = [...readTrials(scratch)];
  if (trials.length === params.lr_values.length) return trials;
  const initial = data.slice();
  for (const lr of params.lr_values.slice(trials.length)) {
    const trial = await runTrial(network, objective, { ...options, lr, number: trials.length });
    data.set(initial);
    network.push();
    network.discardGradients(); // a trial that diverged left some
    trials.push(trial);
    if (scratch !== undefined) await saveTrials(scratch, trials);
    options.onTrial(trial);
  }
  return trials;
}

async function runTrial(
  network: Network,
  objective: Objective,
  { lr, number, onUpdate, ...options }: TrialOptions & { readonly lr: number; readonly number: number },
): Promise<Trial> {
  const total = Math.min(options.params.lr_trial_updates, options.total);
  const scratch = options.scratch && join(options.scratch, `lr_trial_${number}`);
  let updates = 0;
  try {
    await train(network, objective, {
      ...options,
      params: { ...options.params, checkpoint_every: 0 },
      lr,
      total,
      scratch,
      onUpdate(update, metrics, tokens) {
        updates = update;
        // One count for all trials, so that their progress is one bar.
        onUpdate(number * total + update, options.params.lr_values.length * total, metrics, tokens);
      },
      checkpoint: () => Promise.resolve(),
    });
    return { lr, loss: await validationLoss(network, options.validation, total), updates };
  } catch (error) {
    if (!(error instanceof NonFiniteError)) throw error;
    return { lr, loss: null, updates };
  } finally {
    if (scratch !== undefined && !options.signal.aborted) removeIfThere(scratch);
  }
}

/**
 * Returns the learning rate of the best trial.
 * @throws {DataError} if all diverged
 */
export function bestLearningRate(trials: readonly Trial[]): number {
  const finite = trials.filter((trial): trial is Trial & { readonly loss: number } => trial.loss !== null);
  const [first] = finite.toSorted((a, b) => a.loss - b.loss || a.lr - b.lr);
  if (first !== undefined) return first.lr;
  const values = trials.map(({ lr }) => lr).join(", ");
  throw new DataError(`lr=auto requires a trial with a finite loss, got none for ${values} (lr_values)`);
}

/** Returns what to check about a choice, as sentences for a warning. */
export function trialWarnings(trials: readonly Trial[], lr: number, validationRows: number): string[] {
  const values = trials.map((trial) => trial.lr);
  const edge = lr === smallest(values) ? "smallest" : lr === largest(values) ? "largest" : undefined;
  return [
    ...(edge === undefined
      ? []
      : [`lr=auto chose the ${edge} of its values, ${lr}: a value beyond it may be better (lr_values)`]),
    ...(validationRows >= FEW_ROWS ? [] : [
      `lr=auto chose by the loss of ${validationRows} validation demonstration${
        validationRows === 1 ? "" : "s"
      }: neighbouring values may be as good`,
    ]),
  ];
}

/** Fewer validation rows give a warning. */
const FEW_ROWS = 8;

/** Returns the trials as metrics: `trial_lr` and `trial_loss` by number of the trial, and the updates of all. */
export function trialMetrics(trials: readonly Trial[], step: number): MetricRow[] {
  const updates = trials.reduce((sum, trial) => sum + trial.updates, 0);
  return [
    ...trials.flatMap(({ lr, loss }, number): MetricRow[] => [
      { step: number, name: "trial_lr", value: lr },
      ...(loss === null ? [] : [{ step: number, name: "trial_loss", value: loss }]),
    ]),
    { step, name: "trial_updates", value: updates },
  ];
}

function saveTrials(scratch: string, trials: readonly Trial[]): Promise<void> {
  const file = { trials, digest: digestJson(trials) };
  return publishFile(join(scratch, FILE), (to) => Deno.writeTextFileSync(to, JSON.stringify(file)));
}

/** Returns the finished trials of an earlier attempt; none if nothing was saved or it is damaged. */
function readTrials(scratch: string | undefined): readonly Trial[] {
  if (scratch === undefined) return [];
  try {
    const { trials, digest } = JSON.parse(Deno.readTextFileSync(join(scratch, FILE)));
    return digest === digestJson(trials) ? trials : [];
  } catch {
    return []; // nothing was saved, or it is no JSON of this form
  }
}
