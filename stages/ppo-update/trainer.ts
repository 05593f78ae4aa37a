/**
 * What PPO carries from iteration to iteration: policy, critic, the moments of both optimizers, the moving average, and the numbers of
 * trainer_state.json.
 * @module
 */
import { join } from "node:path";
import { copyTokenizerFiles } from "@/lib/data/contracts/model_directory.ts";
import {
  readTrainerState,
  type TrainerState,
  writeTrainerState,
} from "@/lib/data/contracts/trainer_state.ts";
import { givingTo, type HandOver, passOn } from "@/lib/data/files/hand_over.ts";
import { publishDirectory } from "@/lib/data/files/publish.ts";
import { openSafetensors } from "@/lib/data/files/safetensors.ts";
import {
  criticFrom,
  type LoadedModel,
  loadLanguageModel,
  loadModel,
  writeModel,
} from "@/lib/model/models/checkpoint.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { MovingAverage } from "@/lib/model/train/moving_average.ts";
import { Network } from "@/lib/model/train/network.ts";
import { type NamedVectors, readVectors, writeVectors } from "@/lib/model/train/optimizer_file.ts";
import { policyWarmupFactor, transformersFactor } from "@/lib/model/train/schedule.ts";
import type { KlControl } from "./kl_control.ts";
import type { Learner } from "./minibatch.ts";
import { isCriticFree, type Params } from "./params.ts";
import type { ScaleState } from "./rewards.ts";
import type { RolloutStatistics } from "./statistics.ts";
import { firstIterationOf } from "./warnings.ts";

/** A loaded trainer. Its vectors on the device are current; those in the processor's memory after `pull()`. */
export interface Trainer {
  readonly policy: Learner;
  /** absent where the estimator needs none */
  readonly critic: Learner | undefined;
  readonly state: TrainerState;
}

/** Where a trainer is read from. */
export interface TrainerInputs {
  readonly policy: string;
  /** needed unless the estimator is critic-free */
  readonly critic?: string | undefined;
  /** absent before the first iteration */
  readonly state?: string | undefined;
}

/** Where a trainer is written to. */
export type TrainerOutputs = Readonly<Record<"policy" | "critic" | "state" | "ema", string>>;

const FILE = "optimizer.safetensors", EMA = "policy.ema";

type Moments = readonly [ParameterVector, ParameterVector];

function zeroMoments({ parameters }: LoadedModel): Moments {
  return [parameters.zeros(), parameters.zeros()];
}

function learner({ model, parameters }: LoadedModel, moments: Moments, params: Params): Learner {
  const network = new Network(model, parameters, { trainable: true });
  const { beta1, beta2, eps: epsilon, weight_decay: weightDecay, max_grad_norm: maxGradNorm } = params;
  const options = { beta1, beta2, epsilon, weightDecay, maxGradNorm };
  return { network, optimizer: new AdamW(network, options, moments) };
}

/** Returns a learner with a moving average that begins as `ema`; the average goes to the device at its first update. */
function withEma(learner: Learner, ema: ParameterVector | undefined): Learner {
  return ema ? { ...learner, ema: new MovingAverage(ema, learner.network.weights) } : learner;
}

function namedMoments(
  { policy, critic }: { readonly policy: Moments; readonly critic: Moments | undefined },
): NamedVectors {
  return {
    "policy.exp_avg": policy[0],
    "policy.exp_avg_sq": policy[1],
    ...(critic && { "critic.exp_avg": critic[0], "critic.exp_avg_sq": critic[1] }),
  };
}

function momentsOf({ policy, critic }: Pick<Trainer, "policy" | "critic">): NamedVectors {
  const of = ({ optimizer }: Learner): Moments => [optimizer.firstMoment, optimizer.secondMoment];
  return namedMoments({ policy: of(policy), critic: critic && of(critic) });
}

/**
 * Loads what an iteration starts from. A causal model as critic gets a value head of zeros. Without a state, training begins; without a moving
 * average in it, the average begins at the policy.
 * @throws {DataError} if the files do not belong together
 */
export function loadTrainer(inputs: TrainerInputs, params: Params, handOver?: HandOver): Trainer {
  const models = {
    policy: loadLanguageModel(inputs.policy, handOver),
    critic: isCriticFree(params) ? undefined : loadCritic(inputs.critic!, handOver),
  };
  const ema = params.ema_decay === null ? undefined : models.policy.parameters.clone();
  const moments = {
    policy: zeroMoments(models.policy),
    critic: models.critic && zeroMoments(models.critic),
  };
  if (inputs.state !== undefined) {
    const file = join(inputs.state, FILE), average = ema && hasEma(file, handOver) ? { [EMA]: ema } : {};
    readVectors(file, { ...namedMoments(moments), ...average }, handOver);
  }
  // Networks are made before the files are released: a device takes over what an earlier stage left there.
  const policy = withEma(learner(models.policy, moments.policy, params), ema);
  const critic = models.critic && learner(models.critic, moments.critic!, params);
  if (inputs.state === undefined) return { policy, critic, state: initialState(params) };
  for (const directory of [inputs.policy, inputs.critic, inputs.state]) {
    if (directory !== undefined) handOver?.release(directory);
  }
  const state = readTrainerState(inputs.state);
  policy.optimizer.step = state.policyUpdates;
  if (critic) critic.optimizer.step = state.criticUpdates;
  return { policy, critic, state };
}

function initialState({ beta }: Params): TrainerState {
  return {
    kind: "ppo",
    policyUpdates: 0,
    criticUpdates: 0,
    iteration: 0,
    rewardCentre: null,
    rewardScale: null,
    beta,
  };
}

function loadCritic(path: string, handOver?: HandOver): LoadedModel {
  const given = loadModel(path, handOver);
  return given.model.headKind === "score" ? given : criticFrom(given);
}

function hasEma(path: string, handOver?: HandOver): boolean {
  using file = openSafetensors(path, handOver);
  return file.names.some((name) => name.startsWith(`${EMA}.`));
}

/** Learning rates of an iteration. */
export interface LearningRates {
  readonly policy: number;
  readonly critic: number;
  /** false during the critic's warm-up, which leaves the policy as it is */
  readonly updatesPolicy: boolean;
}

/**
 * Returns the learning rates of an iteration. Warm-ups and schedules count the state's iterations, not the loop's: a run that continues
 * elsewhere does not warm up again. Without a critic there is no warm-up of it.
 */
export function learningRates({ critic, state: { iteration } }: Trainer, params: Params): LearningRates {
  const criticWarmupIterations = critic ? params.critic_warmup_iterations : 0;
  const warmup = policyWarmupFactor(iteration, {
    criticWarmupIterations,
    lrWarmupIterations: params.lr_warmup_iterations,
  });
  const { lr_schedule: kind, schedule_iterations: totalSteps } = params;
  // After its last iteration a schedule stays at its end: a cosine would rise again.
  const decay = totalSteps === null
    ? 1
    : transformersFactor(Math.min(iteration, totalSteps), { kind, totalSteps, warmupSteps: 0 });
  return {
    policy: params.lr * warmup * decay,
    critic: params.critic_lr * decay,
    updatesPolicy: iteration >= criticWarmupIterations,
  };
}

/** Returns the state after an iteration of training. */
export function nextState(
  { policy, critic, state }: Trainer,
  { kept, control, statistics }: {
    readonly kept: ScaleState;
    readonly control: KlControl;
    readonly statistics: RolloutStatistics;
  },
  { fluency_budget }: Params,
): TrainerState {
  return {
    kind: state.kind,
    policyUpdates: policy.optimizer.step,
    criticUpdates: critic?.optimizer.step ?? state.criticUpdates,
    iteration: state.iteration + 1,
    ...kept,
    beta: control.beta,
    ...(fluency_budget !== null && { fluencyFactor: control.fluencyFactor }),
    episodes: (state.episodes ?? 0) + statistics.responses,
    firstIteration: state.firstIteration ?? firstIterationOf(statistics),
  };
}

/** Copies weights and moments from the device. */
function pull({ policy, critic }: Trainer): void {
  for (const { network, optimizer } of critic ? [policy, critic] : [policy]) {
    network.pull();
    optimizer.pull();
  }
  policy.ema?.pull();
}

/**
 * Writes what the next iteration starts from. Each model gets the tokenizer's files. A critic that was given but not loaded is copied.
 * @param handOver takes the arrays: nothing may be trained with them afterwards
 */
export async function saveTrainer(
  trainer: Trainer,
  inputs: TrainerInputs,
  outputs: TrainerOutputs,
  handOver?: HandOver,
): Promise<void> {
  const { policy: { network, ema }, critic, state } = trainer;
  pull(trainer);
  const write = (path: string, model: LoadedModel) =>
    publishDirectory(path, (to) => {
      writeModel(to, model, givingTo(handOver, path));
      copyTokenizerFiles(inputs.policy, to);
    });
  await write(outputs.policy, network);
  if (ema) await write(outputs.ema, { model: network.model, parameters: ema.host });
  const { critic: from } = inputs;
  if (critic) await write(outputs.critic, critic.network);
  else if (from !== undefined) {
    await publishDirectory(outputs.critic, (to) => passOn(from, to, outputs.critic, handOver));
  }
  await publishDirectory(outputs.state, (to) => {
    const vectors = { ...momentsOf(trainer), ...(ema ? { [EMA]: ema.host } : {}) };
    writeVectors(join(to, FILE), vectors, givingTo(handOver, outputs.state));
    writeTrainerState(to, state);
  });
  leaveDevice(trainer, handOver !== undefined);
}

/** Releases the device's memory, or keeps weights and moments there for the next stage of this process. */
function leaveDevice({ policy, critic }: Trainer, isKept: boolean): void {
  for (const { network, optimizer } of critic ? [policy, critic] : [policy]) {
    network.placedGradients![Symbol.dispose]();
    if (isKept) {
      network.weights.keep();
      optimizer.keep();
    } else {
      network.weights[Symbol.dispose]();
      optimizer[Symbol.dispose]();
    }
  }
  policy.ema?.[Symbol.dispose]();
}
