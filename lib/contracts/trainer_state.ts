/**
 * `trainer_state.json`, beside the optimizer's tensors in a state directory: how far training has come, and what has to
 * go on from there.
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { writeJson } from "@/lib/files/json.ts";
import { readJsonDocument } from "./json_document.ts";

/** How far training has come. */
export interface TrainerState {
  /** which trainer wrote it: "sft", "ppo", … */
  readonly kind: string;
  /** optimizer steps of the policy */
  readonly policyUpdates: number;
  /** optimizer steps of the critic, 0 where there is none */
  readonly criticUpdates: number;
  /** rounds done */
  readonly iteration: number;
  /** nats per response, subtracted from rewards; null before it was fitted */
  readonly rewardCentre: number | null;
  /** nats per response, divides rewards; null before it was fitted */
  readonly rewardScale: number | null;
  /** weight of the KL penalty, as the controller left it for the next round */
  readonly beta: number;
  /** what the fluency budget multiplies that weight by, at least 1; absent without a budget */
  readonly fluencyFactor?: number;
  /** rewards of all rounds so far, nats per response; absent where the first round fixes centre and scale */
  readonly runningReward?: RunningReward;
  /** responses that rounds have learned from; absent in a state that does not count them */
  readonly episodes?: number;
  /** figures of the first round by metric, which later rounds are held against; absent before it */
  readonly firstIteration?: Readonly<Record<string, number>>;
}

/** Count, mean, and sum of squared distances from it. */
export interface RunningReward {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

const FILE = "trainer_state.json";

/** Schema of trainer_state.json, version 1. */
export const TrainerStateSchema = z.strictObject({
  version: z.literal(1),
  kind: z.string().min(1),
  policy_updates: z.int().nonnegative(),
  critic_updates: z.int().nonnegative(),
  iteration: z.int().nonnegative().describe("rounds done"),
  reward_centre: z.number().nullable().describe("nats per response"),
  reward_scale: z.number().positive().nullable().describe("nats per response"),
  beta: z.number().nonnegative(),
  fluency_factor: z.number().min(1).optional().describe("of the fluency budget, on beta"),
  running_reward: z.strictObject({
    count: z.int().positive(),
    mean: z.number(),
    squares: z.number().nonnegative(),
  }).optional().describe("rewards of all rounds so far, nats per response"),
  episodes: z.int().nonnegative().optional().describe("responses learned from"),
  first_iteration: z.record(z.string(), z.number()).optional().describe(
    "figures of the first round, by metric",
  ),
});

/**
 * Reads the trainer_state.json of a state directory.
 * @throws {DataError} if it cannot be read or is not a trainer's state of version 1; lists every issue
 */
export function readTrainerState(directory: string): TrainerState {
  const state = readJsonDocument(join(directory, FILE), TrainerStateSchema, "a trainer's state, version 1");
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
 * Writes trainer_state.json into a directory that exists.
 * @throws {z.ZodError} if the state is not one that can be read again
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the directory cannot be written
 */
export function writeTrainerState(directory: string, state: TrainerState): void {
  const document = {
    version: 1,
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
