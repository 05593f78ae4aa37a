/**
 * A reward directory: `reward.json` says how the log-probabilities of its models become a reward, and the models lie
 * beside it.
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { writeJson } from "@/lib/files/json.ts";
import { readJsonDocument } from "./json_document.ts";

/** A model of a reward. */
export interface RewardModel {
  /** relative to the reward directory */
  readonly path: string;
  /** digest of the model directory (see `digestDirectory()`) */
  readonly digest: string;
}

/** How the log-probabilities of several members become one: their mean, the least, or mean minus spread. */
export type RewardCombination = "mean" | "min" | "lcb";

/** What the reward of a response is divided by: nothing, its length, or the root of its length. */
export type LengthNorm = "none" | "mean" | "sqrt";

/** What reward.json says. */
export interface RewardManifest {
  /** at least one SFT model */
  readonly members: readonly RewardModel[];
  readonly base: RewardModel;
  readonly combine: RewardCombination;
  /** nats: tokens that the base gives less than this log-probability earn nothing; null = no floor */
  readonly floor: number | null;
  /** nats: bound of the EOS term's magnitude; null = none */
  readonly eosBound: number | null;
  readonly lengthNorm: LengthNorm;
  /** the ids that end a response */
  readonly eosIds: readonly number[];
  /** figures found when the reward was built, by name */
  readonly calibration: Readonly<Record<string, number>>;
}

const FILE = "reward.json";

const Model = z.strictObject({
  path: z.string().regex(
    /^(?!\.{1,2}(\/|$))[^/\\]+(\/(?!\.{1,2}(\/|$))[^/\\]+)*$/,
    "must stay within the directory",
  ),
  digest: z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hexadecimal"),
});

/** Schema of reward.json, version 1. */
export const RewardSchema = z.strictObject({
  version: z.literal(1),
  members: z.array(Model).min(1).describe("SFT models"),
  base: Model.describe("the model before SFT"),
  combine: z.enum(["mean", "min", "lcb"]),
  floor: z.number().nullable().describe("least log-probability under the base that earns a reward, nats"),
  eos_bound: z.number().nonnegative().nullable().describe("bound of the EOS term, nats"),
  length_norm: z.enum(["none", "mean", "sqrt"]),
  eos_ids: z.array(z.int().nonnegative()),
  calibration: z.record(z.string(), z.number()),
});

/**
 * Reads the reward.json of a reward directory.
 * @throws {DataError} if it cannot be read or is not a reward of version 1; lists every issue
 */
export function readReward(directory: string): RewardManifest {
  const { members, base, combine, floor, eos_bound, length_norm, eos_ids, calibration } = readJsonDocument(
    join(directory, FILE),
    RewardSchema,
    "a reward, version 1",
  );
  return {
    members,
    base,
    combine,
    floor,
    eosBound: eos_bound,
    lengthNorm: length_norm,
    eosIds: eos_ids,
    calibration,
  };
}

/**
 * Writes reward.json into a directory that exists. Its models are the caller's to put there.
 * @throws {z.ZodError} if the reward is not one that can be read again
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the directory cannot be written
 */
export function writeReward(directory: string, reward: RewardManifest): void {
  const { members, base, combine, floor, eosBound, lengthNorm, eosIds, calibration } = reward;
  const document = {
    version: 1,
    members,
    base,
    combine,
    floor,
    eos_bound: eosBound,
    length_norm: lengthNorm,
    eos_ids: eosIds,
    calibration,
  };
  writeJson(join(directory, FILE), RewardSchema.parse(document));
}
