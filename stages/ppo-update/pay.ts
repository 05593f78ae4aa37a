/** What a round's responses are paid, in all and token by token. Pure. @module */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import {
  fitRewardScale,
  ppoRewards,
  type RewardScale,
  scaleReward,
  UNIT_SCALE,
} from "@/lib/rl/ppo_rewards.ts";
import { mergeMoments, NO_MOMENTS, type RunningMoments, runningScale } from "@/lib/rl/running_moments.ts";
import { whiten } from "@/lib/rl/whiten.ts";
import type { Params } from "./params.ts";

/** A response's reward in raw nats, and its tokens' shares of it. */
export interface Earned {
  readonly reward: number;
  /** [R], nats; they add up to `reward` */
  readonly tokens: Float64Array;
}

/** What is paid, in units of the scaled reward. */
export interface Pay {
  /** per response: scaled, clipped, or the penalty for a missing end; of one that goes on, what it would be if it ended here */
  readonly scores: readonly number[];
  /** per token, the KL penalty included where it is in the reward */
  readonly rewards: readonly Float64Array[];
}

/** A response that the length limit cut. */
export const isCut = (row: ScoredRow): boolean => row.finishReason === "length";

/** A response that was cut and is taken to go on: no end, so nothing that is paid at an end. */
export const goesOn = (row: ScoredRow, { truncated_value }: Params): boolean =>
  truncated_value === "bootstrap" && isCut(row);

/** Whether the reward of a response is paid to it, at its end or for want of one. */
const isPaid = (row: ScoredRow, params: Params): boolean =>
  !isCut(row) || (params.missing_eos === "score" && !goesOn(row, params));

/** What each row has earned, as `score` wrote it. */
export function earnedBy(rows: readonly ScoredRow[]): Earned[] {
  return rows.map(({ reward, rawReward, tokenRewards }) => {
    // Length normalisation divides the response's reward: its tokens' shares shrink alike.
    const share = rawReward === 0 ? 1 : reward / rawReward;
    return { reward, tokens: Float64Array.from(tokenRewards, (r) => r * share) };
  });
}

/** Centre and scale of a round's rewards, and what the next round needs to go on from there. */
export interface ScaleState {
  readonly scale: RewardScale;
  /** rewards of all rounds so far, where they decide */
  readonly running?: RunningMoments;
}

/**
 * Centre and scale of the reward: those that the state holds, else fitted on this round; or those of all rounds so far. Rewards that are not paid,
 * as the response was cut, do not count.
 */
export function rewardScaleOf(
  rows: readonly ScoredRow[],
  earned: readonly Earned[],
  kept: ScaleState | undefined,
  params: Params,
): ScaleState {
  if (!params.normalise_reward) return { scale: UNIT_SCALE };
  const paid = earned.filter((_, i) => isPaid(rows[i]!, params));
  const rewards = (paid.length > 0 ? paid : earned).map(({ reward }) => reward);
  const uncentred = ({ scale }: RewardScale) => ({ centre: 0, scale });
  const finish = params.centre_reward ? (scale: RewardScale) => scale : uncentred;
  if (params.reward_scaling === "running") {
    const running = mergeMoments(kept?.running ?? NO_MOMENTS, rewards);
    return { scale: finish(runningScale(running)), running };
  }
  return { scale: kept?.scale ?? finish(fitRewardScale(rewards)) };
}

/** log π − log π_ref of every token, nats; π is the policy at temperature 1, whatever it was sampled at. */
export function tokenKl(row: ScoredRow, reference: Params["kl_reference"]): Float64Array {
  return Float64Array.from(row.logprobsT1 ?? row.logprobs, (policy, t) => {
    const toSft = policy - row.sftLogprobs[t]!, toBase = policy - row.baseLogprobs[t]!;
    return reference === "sft" ? toSft : reference === "base" ? toBase : (toSft + toBase) / 2;
  });
}

/**
 * What each response and token is paid. Reward and KL penalty are divided by the same scale, so that beta stays in units of the raw reward and
 * centring and scaling leave the optimum where it is.
 * @param beta weight of the penalty in this round, raw units
 */
export function payOf(
  rows: readonly ScoredRow[],
  earned: readonly Earned[],
  { scale, beta }: { readonly scale: RewardScale; readonly beta: number },
  params: Params,
): Pay {
  const scores = rows.map((row, i) =>
    params.missing_eos === "penalty" && isCut(row)
      ? params.missing_eos_value
      : scaleReward(earned[i]!.reward, scale, params.reward_clip ?? Infinity)
  );
  const weight = params.kl_placement === "reward" ? beta / scale.scale : 0;
  const bound = params.kl_clip ?? Infinity;
  const rewards = rows.map((row, i) =>
    ppoRewards(tokenKl(row, params.kl_reference).map((d) => Math.min(Math.max(d, -bound), bound)), {
      beta: weight,
      reward: goesOn(row, params) ? null : scores[i]!,
      ...(params.placement === "dense" ? { earned: earned[i]!.tokens.map((r) => r / scale.scale) } : {}),
    })
  );
  return { scores, rewards: params.whiten_rewards ? whiten(rewards, { shiftMean: false }) : rewards };
}
