/** Rewards: normalisation, KL penalty, and the reward of each token. Pure. @module */
import type { TrainerState } from "@/lib/data/contracts/trainer_state.ts";
import { klEstimates } from "@/lib/model/rl/kl.ts";
import { ppoRewards } from "@/lib/model/rl/ppo_rewards.ts";
import {
  fitRewardScale,
  mergeMoments,
  NO_MOMENTS,
  type RewardScale,
  type RunningMoments,
  runningScale,
  scaleReward,
  UNIT_SCALE,
} from "@/lib/model/rl/reward_scale.ts";
import { whiten } from "@/lib/model/rl/whiten.ts";
import type { Params } from "./params.ts";
import type { RewardedRollout, Rollout } from "./trajectory.ts";

/** The part of a trainer's state that holds the scale of the reward. */
export type ScaleState = Pick<TrainerState, "rewardCentre" | "rewardScale" | "runningReward">;

/** Centre and scale of an iteration's rewards, and what the state keeps of them. */
export interface FittedScale {
  readonly scale: RewardScale;
  readonly kept: ScaleState;
}

/** Returns whether a truncated response is treated as unfinished (bootstrap): there is then no reward at its last token. */
export function continues({ isTruncated }: Rollout, { truncated_value }: Params): boolean {
  return truncated_value === "bootstrap" && isTruncated;
}

/** Returns whether a response keeps its reward: not if it is truncated and penalised, masked or bootstrapped. */
function isGivenReward(rollout: Rollout, params: Params): boolean {
  return !rollout.isTruncated || (params.missing_eos === "score" && !continues(rollout, params));
}

/**
 * Returns centre and scale of the reward: those of the first iteration, or of all iterations so far (`reward_scaling`). Only rewards
 * that are given count, unless there are none.
 */
export function fitScale(rollouts: readonly Rollout[], state: ScaleState, params: Params): FittedScale {
  // Without normalisation nothing is kept, so that it can be turned on later.
  if (!params.normalise_reward) return { scale: UNIT_SCALE, kept: { rewardCentre: null, rewardScale: null } };
  const given = rollouts.filter((rollout) => isGivenReward(rollout, params));
  const rewards = (given.length > 0 ? given : rollouts).map(({ reward }) => reward);
  const keep = (scale: RewardScale, running?: RunningMoments): FittedScale => ({
    scale,
    kept: {
      rewardCentre: scale.centre,
      rewardScale: scale.scale,
      ...(running ? { runningReward: running } : {}),
    },
  });
  const centred = ({ centre, scale }: RewardScale) => ({ centre: params.centre_reward ? centre : 0, scale });
  if (params.reward_scaling === "running") {
    const running = mergeMoments(state.runningReward ?? NO_MOMENTS, rewards);
    return keep(centred(runningScale(running)), running);
  }
  const { rewardCentre: centre, rewardScale: scale } = state;
  return keep(centre !== null && scale !== null ? { centre, scale } : centred(fitRewardScale(rewards)));
}

/** Returns log π − log π_ref of every token, nats, both at the sampling temperature, as in TRL. */
export function tokenKl(
  { klLogprobs, sftLogprobs, baseLogprobs }: Rollout,
  reference: Params["kl_reference"],
): Float64Array {
  const toSft = klEstimates("k1", klLogprobs, sftLogprobs);
  if (reference === "sft") return toSft;
  const toBase = klEstimates("k1", klLogprobs, baseLogprobs);
  return reference === "base" ? toBase : toSft.map((kl, t) => (kl + toBase[t]!) / 2);
}

/**
 * Returns the rollouts with their rewards. Reward and KL penalty are divided by the same scale: beta stays in units of the raw reward,
 * and centring and scaling leave the optimum where it is.
 * @param beta of the KL penalty in this iteration, raw units
 */
export function withRewards(
  rollouts: readonly Rollout[],
  { scale, beta }: { readonly scale: RewardScale; readonly beta: number },
  params: Params,
): RewardedRollout[] {
  const scaledBeta = params.kl_placement === "reward" ? beta / scale.scale : 0;
  const bound = params.kl_clip ?? Infinity;
  const rewarded = rollouts.map((rollout): RewardedRollout => {
    const scaledReward = params.missing_eos === "penalty" && rollout.isTruncated
      ? params.missing_eos_value
      : scaleReward(rollout.reward, scale, params.reward_clip ?? Infinity);
    const rewardPerToken = Float64Array.from(rollout.normalisedRewards ?? rollout.tokenRewards);
    const kl = tokenKl(rollout, params.kl_reference).map((d) => Math.min(Math.max(d, -bound), bound));
    const rewards = ppoRewards(kl, {
      beta: scaledBeta,
      reward: continues(rollout, params) ? null : scaledReward,
      ...(params.reward_placement === "dense"
        ? { perToken: rewardPerToken.map((r) => r / scale.scale) }
        : {}),
    });
    return { ...rollout, rewardPerToken, scaledReward, rewards };
  });
  if (!params.whiten_rewards) return rewarded;
  const white = whiten(rewarded.map(({ rewards }) => rewards), { shiftMean: false });
  return rewarded.map((rollout, i) => ({ ...rollout, rewards: white[i]! }));
}
