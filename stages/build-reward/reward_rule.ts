/** From parameters to the rule by which log-probabilities become a reward. @module */
import type { RewardRule } from "@/lib/reward/scored_rows.ts";
import type { Params } from "./params.ts";

/**
 * The rule that parameters ask for. A single member needs no combination but the mean, which is itself.
 * @param found.lengthTarget tokens; left out while it is not known, and then responses are not normalised by it
 */
export function rewardRule(
  params: Params,
  found: {
    readonly eosIds: readonly number[];
    readonly members: number;
    readonly lengthTarget?: number | undefined;
  },
): RewardRule {
  const { combine, floor, floor_both: floorBoth, token_cap: tokenCap, eos_bound: eosBound } = params;
  const { lengthTarget } = found;
  return {
    combine: combine === "lcb" && found.members === 1 ? "mean" : combine,
    floor,
    ...(floorBoth === null ? {} : { floorBoth }),
    ...(tokenCap === null ? {} : { tokenCap }),
    eosBound,
    ...(params.length_norm !== "target"
      ? { lengthNorm: params.length_norm }
      : lengthTarget === undefined
      ? { lengthNorm: "none" as const }
      : { lengthNorm: "target" as const, lengthTarget }),
    eosIds: found.eosIds,
  };
}
