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

/**
 * How several SFT models become one: the mean of their log-probabilities, the least, mean minus spread; or the mean of their
 * weights, one model that is then the only member.
 */
export type RewardCombination = "mean" | "min" | "lcb" | "soup";

/**
 * What the reward of a response is divided by: nothing, its length, the root of its length; or, beyond a target length, its
 * length in units of that.
 */
export type LengthNorm = "none" | "mean" | "sqrt" | "target";

/** What reward.json says. What may be absent is a key of version 2. */
export interface RewardManifest {
  /** at least one SFT model */
  readonly members: readonly RewardModel[];
  readonly base: RewardModel;
  /** what members are held against; absent: the base */
  readonly baseline?: RewardModel;
  readonly combine: RewardCombination;
  /** digests of the models whose weights the member averages; with `combine` soup alone */
  readonly soupOf?: readonly string[];
  /** nats: tokens that the base gives less than this log-probability earn nothing; null = no floor */
  readonly floor: number | null;
  /** nats: the same where the members give no more either; absent = no such floor */
  readonly floorBoth?: number;
  /** nats: bound of what a token earns; absent = none */
  readonly tokenCap?: number;
  /** nats: bound of the EOS term's magnitude; null = none of its own */
  readonly eosBound: number | null;
  readonly lengthNorm: LengthNorm;
  /** tokens; with `lengthNorm` target alone */
  readonly lengthTarget?: number;
  /** the ids that end a response */
  readonly eosIds: readonly number[];
  /** figures found when the reward was built, by name */
  readonly calibration: Readonly<Record<string, number>>;
}

const FILE = "reward.json";

const digest = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in hexadecimal");

const Model = z.strictObject({
  path: z.string().regex(
    /^(?!\.{1,2}(\/|$))[^/\\]+(\/(?!\.{1,2}(\/|$))[^/\\]+)*$/,
    "must stay within the directory",
  ),
  digest,
});

/** Keys that version 1 does not have. */
const NEW_KEYS = ["baseline", "soup_of", "floor_both", "token_cap", "length_target"] as const;

/** Schema of reward.json, versions 1 and 2: version 2 has keys more, and more values for two. */
export const RewardSchema = z.strictObject({
  version: z.literal([1, 2]),
  members: z.array(Model).min(1).describe("SFT models"),
  base: Model.describe("the model before SFT"),
  baseline: Model.optional().describe("what members are held against, where it is not the base"),
  combine: z.enum(["mean", "min", "lcb", "soup"]),
  soup_of: z.array(digest).min(2).optional().describe("the models whose weights the member averages"),
  floor: z.number().nullable().describe("least log-probability under the base that earns a reward, nats"),
  floor_both: z.number().optional().describe("the same where the members give no more either, nats"),
  token_cap: z.number().nonnegative().optional().describe("bound of what a token earns, nats"),
  eos_bound: z.number().nonnegative().nullable().describe("bound of the EOS term, nats"),
  length_norm: z.enum(["none", "mean", "sqrt", "target"]),
  length_target: z.number().positive().optional().describe("of the length norm target, tokens"),
  eos_ids: z.array(z.int().nonnegative()),
  calibration: z.record(z.string(), z.number()),
}).superRefine((reward, context) => {
  const rule = (holds: boolean, key: string, message: string) => {
    if (!holds) context.addIssue({ code: "custom", path: [key], message });
  };
  if (reward.version === 1) {
    for (const key of NEW_KEYS) rule(reward[key] === undefined, key, "must not be there before version 2");
    rule(reward.combine !== "soup", "combine", "must not be soup before version 2");
    rule(reward.length_norm !== "target", "length_norm", "must not be target before version 2");
  }
  const isSoup = reward.combine === "soup", hasTarget = reward.length_norm === "target";
  rule((reward.soup_of !== undefined) === isSoup, "soup_of", "must be there for combine=soup, and only then");
  rule(!isSoup || reward.members.length === 1, "members", "must be one model for combine=soup");
  rule(
    (reward.length_target !== undefined) === hasTarget,
    "length_target",
    "must be there for length_norm=target, and only then",
  );
});

/**
 * Reads the reward.json of a reward directory.
 * @throws {DataError} if it cannot be read or is not a reward of version 1 or 2; lists every issue
 */
export function readReward(directory: string): RewardManifest {
  const {
    version: _,
    eos_bound,
    length_norm,
    eos_ids,
    soup_of,
    floor_both,
    token_cap,
    length_target,
    baseline,
    ...same
  } = readJsonDocument(join(directory, FILE), RewardSchema, "a reward, version 1 or 2");
  return {
    ...same,
    eosBound: eos_bound,
    lengthNorm: length_norm,
    eosIds: eos_ids,
    ...(baseline === undefined ? {} : { baseline }),
    ...(soup_of === undefined ? {} : { soupOf: soup_of }),
    ...(floor_both === undefined ? {} : { floorBoth: floor_both }),
    ...(token_cap === undefined ? {} : { tokenCap: token_cap }),
    ...(length_target === undefined ? {} : { lengthTarget: length_target }),
  };
}

/**
 * Writes reward.json into a directory that exists, in the oldest version that can say it. Its models are the caller's to put
 * there.
 * @throws {z.ZodError} if the reward is not one that can be read again
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the directory cannot be written
 */
export function writeReward(directory: string, reward: RewardManifest): void {
  const { members, base, combine, floor, eosBound, lengthNorm, eosIds, calibration } = reward;
  // Undefined keys are left out of the file.
  const added = {
    baseline: reward.baseline,
    soup_of: reward.soupOf,
    floor_both: reward.floorBoth,
    token_cap: reward.tokenCap,
    length_target: reward.lengthTarget,
  };
  const document = {
    version: Object.values(added).some((value) => value !== undefined) ? 2 : 1,
    members,
    base,
    combine,
    floor,
    eos_bound: eosBound,
    length_norm: lengthNorm,
    eos_ids: eosIds,
    calibration,
    ...added,
  };
  writeJson(join(directory, FILE), RewardSchema.parse(document));
}
