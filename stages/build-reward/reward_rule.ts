/** Makes the rule that computes a reward from log-probabilities. In: parameters. Out: the rule. @module */
import type { RewardRule } from "@/lib/model/reward/scored_rows.ts";
import type { Params } from "./params.ts";

/**
 * Returns the rule of the parameters. With a single member, `lcb` is the mean, which is the member itself.
 * @param found.baseWeight the parameter base_weight, or what `auto` gives
 * @param found.lengthTarget tokens; without it, length_norm=target does not normalise
 */
export function rewardRule(
  params: Params,
  { eosIds, members, lengthTarget, baseWeight }: {
    readonly eosIds: readonly number[];
    readonly members: number;
    readonly lengthTarget?: number | undefined;
    readonly baseWeight: number;
  },
): RewardRule {
  const { combine, floor, floor_both: floorBoth, token_cap: tokenCap, eos_bound: eosBound } = params;
  return {
    combine: combine === "lcb" && members === 1 ? "mean" : combine,
    floor,
    ...(floor === null || params.floor_penalties === "drop"
      ? {}
      : { floorPenalties: params.floor_penalties }),
    ...(floorBoth === null ? {} : { floorBoth }),
    ...(tokenCap === null ? {} : { tokenCap }),
    eosBound,
    ...(baseWeight === 1 ? {} : { baseWeight }),
    ...(params.length_norm !== "target"
      ? { lengthNorm: params.length_norm }
      : lengthTarget === undefined
      ? { lengthNorm: "none" as const }
      : { lengthNorm: "target" as const, lengthTarget }),
    eosIds,
  };
}
