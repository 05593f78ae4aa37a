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
  /** weight of the KL penalty, as the controller left it */
  readonly klCoef: number;
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
  kl_coef: z.number().nonnegative(),
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
    klCoef: state.kl_coef,
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
    kl_coef: state.klCoef,
  };
  writeJson(join(directory, FILE), TrainerStateSchema.parse(document));
}
