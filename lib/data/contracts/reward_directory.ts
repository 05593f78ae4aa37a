/**
 * A reward directory: `reward.json` defines how the log-probabilities of its models become a reward; the models are in the same
 * directory.
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { writeJson } from "@/lib/data/files/json.ts";
import { readJsonDocument } from "./json_document.ts";
import { camelCase, snakeCase } from "./named_rows.ts";

/** A model in a reward directory. */
export interface StoredModel {
  /** relative to the reward directory */
  readonly path: string;
  /** digest of the model directory (see `digestDirectory()`) */
  readonly digest: string;
}

/** Content of reward.json. Optional keys exist in version 2 only. */
export interface RewardManifest {
  /** at least one SFT model */
  readonly members: readonly StoredModel[];
  readonly base: StoredModel;
  /** model that is subtracted from the members; absent: the base */
  readonly baseline?: StoredModel;
  /**
   * how members are combined: mean or minimum of their log-probabilities, mean minus standard deviation, or the mean of their
   * weights, which is then the only member
   */
  readonly combine: "mean" | "min" | "lcb" | "soup";
  /** digests of the models that a soup averages */
  readonly soupOf?: readonly string[];
  /** nats: reward 0 for tokens with log π_base ≤ floor; null = no floor */
  readonly floor: number | null;
  /** `keep`: tokens with log π_base ≤ floor keep a negative reward; absent: their reward is 0 */
  readonly floorPenalties?: "drop" | "keep";
  /** nats: reward 0 for tokens with log π_base and target ≤ floorBoth; absent = off */
  readonly floorBoth?: number;
  /** nats: token rewards are clipped to ± tokenCap; absent = no clipping */
  readonly tokenCap?: number;
  /** nats: the reward of EOS is clipped to ± eosBound; null = as any token */
  readonly eosBound: number | null;
  /** weight w of target − baseline; the target itself has weight 1 − w. Absent = 1 */
  readonly baseWeight?: number;
  /** divisor of the reward: 1, the length, its square root, or max(1, length / lengthTarget) */
  readonly lengthNorm: "none" | "mean" | "sqrt" | "target";
  /** tokens; of `lengthNorm` target */
  readonly lengthTarget?: number;
  /** the ids that end a response */
  readonly eosIds: readonly number[];
  /** statistics of the calibration, by name */
  readonly calibration: Readonly<Record<string, number>>;
}

const FILE = "reward.json";

const digest = z.string().regex(/^[0-9a-f]{64}$/, "must be a hexadecimal SHA-256");

const Model = z.strictObject({
  path: z.string().regex(
    /^(?!\.{1,2}(\/|$))[^/\\]+(\/(?!\.{1,2}(\/|$))[^/\\]+)*$/,
    "must stay within the directory",
  ),
  digest,
});

/** Keys of version 2. */
export const NEW_KEYS = [
  "baseline",
  "soup_of",
  "floor_penalties",
  "floor_both",
  "token_cap",
  "base_weight",
  "length_target",
] as const;

/** Schema of reward.json, versions 1 and 2: version 2 has more keys, and more values for two of them. */
export const RewardSchema = z.strictObject({
  version: z.literal([1, 2]),
  members: z.array(Model).min(1).describe("SFT models"),
  base: Model.describe("the base model, from which the SFT models were trained"),
  baseline: Model.optional().describe("model that is subtracted from the members, if not the base"),
  combine: z.enum(["mean", "min", "lcb", "soup"]),
  soup_of: z.array(digest).min(2).optional().describe("digests of the models that a soup averages"),
  floor: z.number().nullable().describe("reward 0 for tokens with log π_base ≤ floor, nats"),
  floor_penalties: z.enum(["drop", "keep"]).optional()
    .describe("negative rewards of tokens at or below floor: drop (as if absent) or keep"),
  floor_both: z.number().optional().describe("reward 0 if log π_base and target are both ≤ floor_both, nats"),
  token_cap: z.number().nonnegative().optional().describe("clips token rewards, nats"),
  eos_bound: z.number().nonnegative().nullable().describe("clips the reward of EOS, nats"),
  base_weight: z.number().min(0).max(1).optional().describe("weight of target − baseline; 1 if absent"),
  length_norm: z.enum(["none", "mean", "sqrt", "target"]),
  length_target: z.number().positive().optional().describe("target length of length_norm target, tokens"),
  eos_ids: z.array(z.int().nonnegative()),
  calibration: z.record(z.string(), z.number()),
}).superRefine((reward, context) => {
  const rule = (holds: boolean, key: string, message: string) => {
    if (!holds) context.addIssue({ code: "custom", path: [key], message });
  };
  if (reward.version === 1) {
    for (const key of NEW_KEYS) rule(reward[key] === undefined, key, "requires version 2");
    rule(reward.combine !== "soup", "combine", "requires version 2 for soup");
    rule(reward.length_norm !== "target", "length_norm", "requires version 2 for target");
  }
  const isSoup = reward.combine === "soup", hasTarget = reward.length_norm === "target";
  rule(
    (reward.soup_of !== undefined) === isSoup,
    "soup_of",
    "must be present for combine=soup, and only then",
  );
  rule(!isSoup || reward.members.length === 1, "members", "must be one model for combine=soup");
  rule(
    (reward.length_target !== undefined) === hasTarget,
    "length_target",
    "must be present for length_norm=target, and only then",
  );
});

/**
 * Reads the reward.json of a reward directory.
 * @throws {DataError} if it cannot be read or is not a reward of version 1 or 2; lists all issues
 */
export function readReward(directory: string): RewardManifest {
  const document = readJsonDocument(join(directory, FILE), RewardSchema, "a reward, version 1 or 2");
  const { version: _, ...keys } = document;
  return Object.fromEntries(
    Object.entries(keys).map(([key, value]) => [camelCase(key), value]),
  ) as unknown as RewardManifest;
}

/**
 * Writes reward.json into a directory that exists, in the oldest version that supports its keys and values. The caller writes the
 * models.
 * @throws {z.ZodError} if the manifest is invalid
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the directory cannot be written
 */
export function writeReward(directory: string, reward: RewardManifest): void {
  const keys = rewardKeys(reward);
  const version = NEW_KEYS.some((key) => keys[key] !== undefined) ? 2 : 1;
  writeJson(join(directory, FILE), RewardSchema.parse({ version, ...keys }));
}

/** Returns the keys of reward.json, in snake_case, without the version. */
export function rewardKeys(reward: RewardManifest): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(reward).filter(([, value]) => value !== undefined)
      .map(([key, value]) => [snakeCase(key), value]),
  );
}
