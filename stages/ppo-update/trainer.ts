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
import { withValueHead } from "@/lib/model/models/value_head.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { MovingAverage } from "@/lib/model/train/moving_average.ts";
import { Network } from "@/lib/model/train/network.ts";
import { type NamedVectors, readVectors, writeVectors } from "@/lib/model/train/optimizer_file.ts";
import { policyWarmupFactor, transformersFactor } from "@/lib/model/train/schedule.ts";
import type { KlControl, RelativeUnits } from "./kl_control.ts";
import type { Learner } from "./minibatch.ts";
import { hasSharedCritic, isCriticFree, type Params } from "./params.ts";
import type { PeakRates } from "./peak_rates.ts";
import type { ScaleState } from "./rewards.ts";
import type { RolloutStatistics } from "./statistics.ts";
import { firstIterationOf } from "./warnings.ts";

/** A loaded trainer. Its vectors on the device are current; those in the processor's memory after `pull()`. */
export interface Trainer {
  readonly policy: Learner;
  /** absent where the estimator needs none */
  readonly critic: Learner | undefined;
  /** whether the critic is a head on the policy's network */
  readonly isShared: boolean;
  readonly state: TrainerState;
}

/** Where a trainer is read from. */
export interface TrainerInputs {
  readonly policy: string;
  /** needed unless the estimator is critic-free or the critic a head on the policy */
  readonly critic?: string | undefined;
  /** absent before the first iteration */
  readonly state?: string | undefined;
}

/** Where a trainer is written to. */
export type TrainerOutputs = Readonly<Record<"policy" | "critic" | "state" | "ema", string>>;

const FILE = "optimizer.safetensors", EMA = "policy.ema";

type Moments = readonly [ParameterVector, ParameterVector];

/** A network, or one part of it, with the moments of its optimizer, in the processor's memory. */
interface Trainee {
  readonly loaded: LoadedModel;
  /** returns what the optimizer updates of a vector with the layout of the weights */
  readonly part: (vector: ParameterVector) => ParameterVector;
  readonly moments: Moments;
}

/** What an iteration trains. */
interface Trainees {
  readonly policy: Trainee;
  readonly critic: Trainee | undefined;
  readonly isShared: boolean;
}

function traineeOf(loaded: LoadedModel, part: Trainee["part"] = (vector) => vector): Trainee {
  const own = part(loaded.parameters);
  return { loaded, part, moments: [own.zeros(), own.zeros()] };
}

/** Returns policy and critic as two parts of one network: a language model with a value head of zeros. */
function sharedTrainees(loaded: LoadedModel): Trainees {
  const whole = withValueHead(loaded);
  return {
    policy: traineeOf(whole, (vector) => whole.parts(vector).model),
    critic: traineeOf(whole, (vector) => whole.parts(vector).valueHead),
    isShared: true,
  };
}

/** Returns the networks of policy and critic as learners; the two parts of one network share it. */
function learnersOf(
  { policy, critic, isShared }: Trainees,
  params: Params,
  ema: ParameterVector | undefined,
): Pick<Trainer, "policy" | "critic"> {
  const networkOf = ({ loaded }: Trainee) =>
    new Network(loaded.model, loaded.parameters, { trainable: true });
  const network = networkOf(policy), own = learner(network, policy, params);
  return {
    // The average goes to the device at its first update.
    policy: ema ? { ...own, ema: new MovingAverage(ema, own.weights) } : own,
    critic: critic && learner(isShared ? network : networkOf(critic), critic, params),
  };
}

function learner(network: Network, { part, moments }: Trainee, params: Params): Learner {
  const { beta1, beta2, eps: epsilon, weight_decay: weightDecay, max_grad_norm: maxGradNorm } = params;
  const weights = network.weights.part(part(network.parameters));
  const placedGradients = network.placedGradients!.part(part(network.gradients!));
  const options = { beta1, beta2, epsilon, weightDecay, maxGradNorm };
  return { network, weights, optimizer: new AdamW({ weights, placedGradients }, options, moments) };
}

/** Returns what the state's file holds: the moments of both optimizers, and the weights of a value head. */
function namedVectors(
  policy: Moments,
  critic: Moments | undefined,
  valueHead: ParameterVector | undefined,
): NamedVectors {
  return {
    ...(valueHead && { critic: valueHead }),
    "policy.exp_avg": policy[0],
    "policy.exp_avg_sq": policy[1],
    ...(critic && { "critic.exp_avg": critic[0], "critic.exp_avg_sq": critic[1] }),
  };
}

/** Returns the vectors of a trainer whose vectors in the processor's memory are current. */
function vectorsOf({ policy, critic, isShared }: Trainer): NamedVectors {
  const of = ({ optimizer }: Learner): Moments => [optimizer.firstMoment, optimizer.secondMoment];
  return namedVectors(of(policy), critic && of(critic), isShared ? critic!.weights.host : undefined);
}

/**
 * Loads what an iteration starts from. A causal model as critic gets a value head of zeros. Without a state, training begins; without a moving
 * average in it, the average begins at the policy.
 * @throws {DataError} if the files do not belong together
 */
export function loadTrainer(inputs: TrainerInputs, params: Params, handOver?: HandOver): Trainer {
  const model = loadLanguageModel(inputs.policy, handOver), isShared = hasSharedCritic(params);
  const ema = params.ema_decay === null ? undefined : model.parameters.clone();
  const trainees = isShared ? sharedTrainees(model) : {
    policy: traineeOf(model),
    critic: isCriticFree(params) ? undefined : traineeOf(loadCritic(inputs.critic!, handOver)),
    isShared,
  };
  if (inputs.state !== undefined) {
    const file = join(inputs.state, FILE), average = ema && hasEma(file, handOver) ? { [EMA]: ema } : {};
    const { policy, critic } = trainees,
      valueHead = isShared ? critic!.part(critic!.loaded.parameters) : undefined;
    readVectors(file, { ...namedVectors(policy.moments, critic?.moments, valueHead), ...average }, handOver);
  }
  // Networks are made before the files are released: a device takes over what an earlier stage left there.
  const { policy, critic } = learnersOf(trainees, params, ema);
  if (inputs.state === undefined) return { policy, critic, isShared, state: initialState(params) };
  for (const directory of [inputs.policy, inputs.critic, inputs.state]) {
    if (directory !== undefined) handOver?.release(directory);
  }
  const state = readTrainerState(inputs.state);
  policy.optimizer.step = state.policyUpdates;
  if (critic) critic.optimizer.step = state.criticUpdates;
  return { policy, critic, isShared, state };
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
export function learningRates(
  { critic, state: { iteration } }: Trainer,
  peaks: PeakRates,
  params: Params,
): LearningRates {
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
    policy: peaks.policy * warmup * decay,
    critic: peaks.critic * decay,
    updatesPolicy: iteration >= criticWarmupIterations,
  };
}

/** Returns the state after an iteration of training. */
export function nextState(
  { policy, critic, state }: Trainer,
  { kept, control, statistics, units }: {
    readonly kept: ScaleState;
    readonly control: KlControl;
    readonly statistics: RolloutStatistics;
    readonly units: RelativeUnits | undefined;
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
    firstIteration: { ...(state.firstIteration ?? firstIterationOf(statistics)), ...units },
  };
}

/** Copies weights and moments from the device. */
function pull({ policy, critic }: Trainer): void {
  for (const { weights, optimizer } of critic ? [policy, critic] : [policy]) {
    weights.pull();
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
  const { policy: { network, weights, ema }, critic, isShared, state } = trainer;
  pull(trainer);
  const write = (path: string, model: LoadedModel) =>
    publishDirectory(path, (to) => {
      writeModel(to, model, givingTo(handOver, path));
      copyTokenizerFiles(inputs.policy, to);
    });
  await write(outputs.policy, { model: network.model, parameters: weights.host });
  if (ema) await write(outputs.ema, { model: network.model, parameters: ema.host });
  const { critic: from } = inputs;
  if (critic && !isShared) await write(outputs.critic, critic.network);
  else if (from !== undefined) {
    await publishDirectory(outputs.critic, (to) => passOn(from, to, outputs.critic, handOver));
  }
  await publishDirectory(outputs.state, (to) => {
    const vectors = { ...vectorsOf(trainer), ...(ema ? { [EMA]: ema.host } : {}) };
    writeVectors(join(to, FILE), vectors, givingTo(handOver, outputs.state));
    writeTrainerState(to, state);
  });
  leaveDevice(trainer, handOver !== undefined);
}

/** Releases the device's memory, or keeps weights and moments there for the next stage of this process. */
function leaveDevice({ policy, critic, isShared }: Trainer, isKept: boolean): void {
  for (const learner of critic ? [policy, critic] : [policy]) {
    const { network, weights, optimizer } = learner;
    network.placedGradients![Symbol.dispose]();
    if (isKept) {
      // One vector is kept of a memory: of a shared network the policy's.
      if (learner === policy || !isShared) weights.keep();
      optimizer.keep();
    } else {
      network.weights[Symbol.dispose]();
      optimizer[Symbol.dispose]();
    }
  }
  policy.ema?.[Symbol.dispose]();
}
