/**
 * What PPO carries from round to round: policy, critic, the moments of both optimizers, and the numbers of
 * trainer_state.json.
 * @module
 */
import { join } from "node:path";
import { copyTokenizerFiles } from "@/lib/contracts/model_directory.ts";
import { readTrainerState, type TrainerState, writeTrainerState } from "@/lib/contracts/trainer_state.ts";
import { publishDirectory } from "@/lib/files/publish.ts";
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
import type { Params } from "./params.ts";
import type { Learner } from "./update.ts";

/** A loaded trainer. */
export interface Trainer {
  readonly policy: Learner;
  readonly critic: Learner;
  readonly state: TrainerState;
}

const FILE = "optimizer.safetensors";

function learner({ model, parameters }: LoadedModel, params: Params): Learner {
  const network = new Network(model, parameters, { trainable: true });
  const { beta1, beta2, eps: epsilon, weight_decay: weightDecay, max_grad_norm: maxGradNorm } = params;
  const options = { beta1, beta2, epsilon, weightDecay, maxGradNorm };
  return { network, optimizer: new AdamW(network.parameters, network.gradients!, options) };
}

const momentsOf = (policy: Learner, critic: Learner): NamedVectors => ({
  "policy.exp_avg": policy.optimizer.firstMoment,
  "policy.exp_avg_sq": policy.optimizer.secondMoment,
  "critic.exp_avg": critic.optimizer.firstMoment,
  "critic.exp_avg_sq": critic.optimizer.secondMoment,
});

/**
 * Loads what a round starts from. A causal model as critic gets a head of zeros; without a state, training begins.
 * @throws {DataError} if the files do not go together
 */
export function loadTrainer(
  paths: { policy: string; critic: string; state: string | undefined },
  params: Params,
): Trainer {
  const policy = learner(loadLanguageModel(paths.policy), params);
  const given = loadModel(paths.critic);
  const critic = learner(given.model.headKind === "score" ? given : criticFrom(given), params);
  if (paths.state === undefined) {
    const state: TrainerState = {
      kind: "ppo",
      policyUpdates: 0,
      criticUpdates: 0,
      iteration: 0,
      rewardCentre: null,
      rewardScale: null,
      klCoef: params.beta,
    };
    return { policy, critic, state };
  }
  readVectors(join(paths.state, FILE), momentsOf(policy, critic));
  const state = readTrainerState(paths.state);
  policy.optimizer.step = state.policyUpdates;
  critic.optimizer.step = state.criticUpdates;
  return { policy, critic, state };
}

/** Writes what the next round starts from. Tokenizer files go along, so that each model stands on its own. */
export async function saveTrainer(
  { policy, critic, state }: Trainer,
  source: string,
  outputs: { policy: string; critic: string; state: string },
): Promise<void> {
  const write = (path: string, { network: { model, parameters } }: Learner) =>
    publishDirectory(path, (to) => {
      writeModel(to, { model, parameters });
      copyTokenizerFiles(source, to);
    });
  await write(outputs.policy, policy);
  await write(outputs.critic, critic);
  await publishDirectory(outputs.state, (to) => {
    writeVectors(join(to, FILE), momentsOf(policy, critic));
    writeTrainerState(to, state);
  });
}
