/**
 * What PPO carries from round to round: policy, critic, the moments of both optimizers, the policy's moving average, and the numbers of
 * trainer_state.json.
 * @module
 */
import { join } from "node:path";
import { copyTokenizerFiles } from "@/lib/contracts/model_directory.ts";
import { readTrainerState, type TrainerState, writeTrainerState } from "@/lib/contracts/trainer_state.ts";
import { givingTo, type HandOver, passOn } from "@/lib/files/hand_over.ts";
import { publishDirectory } from "@/lib/files/publish.ts";
import { openSafetensors } from "@/lib/files/safetensors.ts";
import {
  criticFrom,
  type LoadedModel,
  loadLanguageModel,
  loadModel,
  writeModel,
} from "@/lib/models/checkpoint.ts";
import { AdamW } from "@/lib/train/adamw.ts";
import { Network } from "@/lib/train/network.ts";
import { type NamedVectors, readVectors, writeVectors } from "@/lib/train/optimizer_file.ts";
import type { Learner } from "./minibatch.ts";
import { isCriticFree, type Params } from "./params.ts";
import type { Learners } from "./update.ts";

/** A loaded trainer. */
export interface Trainer extends Learners {
  readonly state: TrainerState;
}

/** Where a trainer lies. */
export interface TrainerPaths {
  readonly policy: string;
  /** undefined: there is none, and the estimator needs none */
  readonly critic: string | undefined;
  readonly state: string;
}

/** Where what a trainer has is written. */
export type TrainerOutputs = Readonly<Record<"policy" | "critic" | "state" | "ema", string>>;

const FILE = "optimizer.safetensors", EMA = "policy.ema";

function learner({ model, parameters }: LoadedModel, params: Params): Learner {
  const network = new Network(model, parameters, { trainable: true });
  const { beta1, beta2, eps: epsilon, weight_decay: weightDecay, max_grad_norm: maxGradNorm } = params;
  const options = { beta1, beta2, epsilon, weightDecay, maxGradNorm };
  return { network, optimizer: new AdamW(network.parameters, network.gradients!, options) };
}

const momentsOf = (policy: Learner, critic: Learner | undefined): NamedVectors => ({
  "policy.exp_avg": policy.optimizer.firstMoment,
  "policy.exp_avg_sq": policy.optimizer.secondMoment,
  ...(critic
    ? { "critic.exp_avg": critic.optimizer.firstMoment, "critic.exp_avg_sq": critic.optimizer.secondMoment }
    : {}),
});

/**
 * Loads what a round starts from. A causal model as critic gets a head of zeros, and an estimator without a critic none at all; without a state,
 * training begins, and without an average in it, the average begins at the policy.
 * @throws {DataError} if the files do not go together
 */
export function loadTrainer(
  paths: Omit<TrainerPaths, "state"> & { readonly state: string | undefined },
  params: Params,
  handOver?: HandOver,
): Trainer {
  const policy = learner(loadLanguageModel(paths.policy, handOver), params);
  const critic = isCriticFree(params) ? undefined : learner(loadCritic(paths.critic!, handOver), params);
  const ema = params.ema_decay === null ? undefined : policy.network.parameters.clone();
  if (paths.state === undefined) {
    const state: TrainerState = {
      kind: "ppo",
      policyUpdates: 0,
      criticUpdates: 0,
      iteration: 0,
      rewardCentre: null,
      rewardScale: null,
      beta: params.beta,
    };
    return { policy, critic, ema, state };
  }
  const file = join(paths.state, FILE), average = ema && holdsAverage(file, handOver) ? { [EMA]: ema } : {};
  readVectors(file, { ...momentsOf(policy, critic), ...average }, handOver);
  for (const directory of [paths.policy, paths.critic, paths.state]) {
    if (directory !== undefined) handOver?.release(directory);
  }
  const state = readTrainerState(paths.state);
  policy.optimizer.step = state.policyUpdates;
  if (critic) critic.optimizer.step = state.criticUpdates;
  return { policy, critic, ema, state };
}

function loadCritic(path: string, handOver?: HandOver): LoadedModel {
  const given = loadModel(path, handOver);
  return given.model.headKind === "score" ? given : criticFrom(given);
}

function holdsAverage(path: string, handOver?: HandOver): boolean {
  using file = openSafetensors(path, handOver);
  return file.names.some((name) => name.startsWith(`${EMA}.`));
}

/**
 * Writes what the next round starts from. Tokenizer files go along, so that each model stands on its own. A critic that was not
 * loaded passes through, if there is one.
 * @param handOver takes the arrays: nothing may be trained with them from now on
 */
export async function saveTrainer(
  { policy, critic, ema, state }: Trainer,
  source: Pick<TrainerPaths, "policy" | "critic">,
  outputs: TrainerOutputs,
  handOver?: HandOver,
): Promise<void> {
  const { model } = policy.network;
  const write = (path: string, of: LoadedModel) =>
    publishDirectory(path, (to) => {
      writeModel(to, of, givingTo(handOver, path));
      copyTokenizerFiles(source.policy, to);
    });
  await write(outputs.policy, policy.network);
  if (ema) await write(outputs.ema, { model, parameters: ema });
  if (critic) await write(outputs.critic, critic.network);
  else if (source.critic !== undefined) {
    const { critic: from } = source;
    await publishDirectory(outputs.critic, (to) => passOn(from, to, outputs.critic, handOver));
  }
  await publishDirectory(outputs.state, (to) => {
    const vectors = { ...momentsOf(policy, critic), ...(ema ? { [EMA]: ema } : {}) };
    writeVectors(join(to, FILE), vectors, givingTo(handOver, outputs.state));
    writeTrainerState(to, state);
  });
}
