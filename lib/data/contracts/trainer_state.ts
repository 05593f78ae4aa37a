/**
 * `trainer_state.json`, beside the optimizer's tensors in a state directory: counters, reward scale and beta, which the next iteration needs.
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { readJson, writeJson } from "@/lib/data/files/json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { readJsonDocument } from "./json_document.ts";

/** The numbers of a trainer. */
export interface TrainerState {
  /** which trainer wrote it: "sft", "ppo", … */
  readonly kind: string;
  /** optimizer steps of the policy */
  readonly policyUpdates: number;
  /** optimizer steps of the critic, 0 without one */
  readonly criticUpdates: number;
  /** iterations done */
  readonly iteration: number;
  /** nats per response, subtracted from rewards; null where none is fitted */
  readonly rewardCentre: number | null;
  /** nats per response, divides rewards; null where none is fitted */
  readonly rewardScale: number | null;
  /** β for the next iteration, without `fluencyFactor` */
  readonly beta: number;
  /** factor of the fluency budget on beta, at least 1; absent without a budget */
  readonly fluencyFactor?: number;
  /** moments of all rewards so far, nats per response; absent where the first iteration fixes centre and scale */
  readonly runningReward?: RunningReward;
  /** responses trained on; absent in a state that does not count them */
  readonly episodes?: number;
  /** metrics of the first iteration, which later iterations are compared with; absent before it */
  readonly firstIteration?: Readonly<Record<string, number>>;
}

/** Count, mean, and sum of squared distances from the mean. */
export interface RunningReward {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

const FILE = "trainer_state.json";

/** Schema of trainer_state.json, version 2. */
export const TrainerStateSchema = z.strictObject({
  version: z.literal(2),
  kind: z.string().min(1),
  policy_updates: z.int().nonnegative(),
  critic_updates: z.int().nonnegative(),
  iteration: z.int().nonnegative().describe("iterations done"),
  reward_centre: z.number().nullable().describe("nats per response"),
  reward_scale: z.number().positive().nullable().describe("nats per response"),
  beta: z.number().nonnegative().describe("of the next iteration, without fluency_factor"),
  fluency_factor: z.number().min(1).optional().describe("factor of the fluency budget on beta"),
  running_reward: z.strictObject({
    count: z.int().positive(),
    mean: z.number(),
    squares: z.number().nonnegative(),
  }).optional().describe("moments of all rewards so far, nats per response"),
  episodes: z.int().nonnegative().optional().describe("responses trained on"),
  first_iteration: z.record(z.string(), z.number()).optional().describe("metrics of the first iteration"),
});

/**
 * Reads the trainer_state.json of a state directory.
 * @throws {DataError} if it cannot be read, is of version 1, or breaks the schema; lists every issue
 */
export function readTrainerState(directory: string): TrainerState {
  const file = join(directory, FILE);
  if ((readJson(file) as { readonly version?: unknown } | null)?.version === 1) {
    throw new DataError(
      `${file}: the trainer state must be of version 2, got version 1, whose fields have other names. ` +
        "Start the training again from the first iteration, without the input state",
      { file },
    );
  }
  const state = readJsonDocument(file, TrainerStateSchema, "a trainer's state, version 2");
  return {
    kind: state.kind,
    policyUpdates: state.policy_updates,
    criticUpdates: state.critic_updates,
    iteration: state.iteration,
    rewardCentre: state.reward_centre,
    rewardScale: state.reward_scale,
    beta: state.beta,
    ...(state.fluency_factor === undefined ? {} : { fluencyFactor: state.fluency_factor }),
    ...(state.running_reward === undefined ? {} : { runningReward: state.running_reward }),
    ...(state.episodes === undefined ? {} : { episodes: state.episodes }),
    ...(state.first_iteration === undefined ? {} : { firstIteration: state.first_iteration }),
  };
}

/**
 * Writes trainer_state.json into an existing directory.
 * @throws {z.ZodError} if the state breaks the schema
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the directory cannot be written
 */
export function writeTrainerState(directory: string, state: TrainerState): void {
  const document = {
    version: 2,
    kind: state.kind,
    policy_updates: state.policyUpdates,
    critic_updates: state.criticUpdates,
    iteration: state.iteration,
    reward_centre: state.rewardCentre,
    reward_scale: state.rewardScale,
    beta: state.beta,
    // Undefined keys are left out of the file.
    fluency_factor: state.fluencyFactor,
    running_reward: state.runningReward,
    episodes: state.episodes,
    first_iteration: state.firstIteration,
  };
  writeJson(join(directory, FILE), TrainerStateSchema.parse(document));
}
