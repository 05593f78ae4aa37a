/**
 * From scored rollouts to what the two losses need: rewards per token, values, advantages, returns. Pure; the critic's
 * output comes in as numbers.
 * @module
 */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { explainedVariance } from "@/lib/rl/explained_variance.ts";
import { gae } from "@/lib/rl/gae.ts";
import {
  fitRewardScale,
  ppoRewards,
  type RewardScale,
  scaleReward,
  UNIT_SCALE,
} from "@/lib/rl/ppo_rewards.ts";
import { residualPrefix, residualValues } from "@/lib/rl/residual_critic.ts";
import { whiten } from "@/lib/rl/whiten.ts";
import type { Params } from "./params.ts";

/** Per-token figures of the round, one array per rollout. */
export interface Advantages {
  readonly oldLogprobs: readonly Float32Array[];
  /** what is added to the critic's output: 0 without a residual critic */
  readonly offsets: readonly Float64Array[];
  readonly values: readonly Float64Array[];
  readonly advantages: readonly Float64Array[];
  readonly returns: readonly Float64Array[];
  /** 1 − Var(returns − values) / Var(returns) at the rollouts; null where returns do not vary */
  readonly explainedVariance: number | null;
}

/** Centre and scale of the reward: those that the state holds, else fitted on this round. */
export function rewardScaleOf(
  rows: readonly ScoredRow[],
  kept: RewardScale | undefined,
  { normalise_reward }: Params,
): RewardScale {
  if (!normalise_reward) return UNIT_SCALE;
  return kept ?? fitRewardScale(rows.map(({ reward }) => reward));
}

/** log π − log π_ref of every token, nats; π is the policy at temperature 1, whatever it was sampled at. */
export function tokenKl(row: ScoredRow, reference: Params["kl_reference"]): Float64Array {
  return Float64Array.from(row.logprobsT1 ?? row.logprobs, (policy, t) => {
    const toSft = policy - row.sftLogprobs[t]!, toBase = policy - row.baseLogprobs[t]!;
    return reference === "sft" ? toSft : reference === "base" ? toBase : (toSft + toBase) / 2;
  });
}

/**
 * Advantages of a round. Reward and KL penalty are divided by the same scale, so that beta stays in units of the raw
 * reward and centring and scaling leave the optimum where it is.
 * @param heads the critic's outputs per response token
 */
export function advantagesOf(
  rows: readonly ScoredRow[],
  heads: readonly ArrayLike<number>[],
  scale: RewardScale,
  params: Params,
): Advantages {
  const offsets: Float64Array[] = [],
    values: Float64Array[] = [],
    raw: Float64Array[] = [],
    returns: Float64Array[] = [];
  rows.forEach((row, i) => {
    // Length normalisation divides the response's reward: its tokens' shares shrink alike.
    const share = row.rawReward === 0 ? 1 : row.reward / row.rawReward;
    const earned = Float64Array.from(row.tokenRewards, (r) => r * share);
    const offset = params.residual_critic
      ? residualPrefix(earned, scale.scale)
      : new Float64Array(row.responseIds.length);
    const value = residualValues(heads[i]!, offset);
    const rewards = ppoRewards(tokenKl(row, params.kl_reference), {
      beta: params.beta / scale.scale,
      reward: scaleReward(row.reward, scale, params.reward_clip ?? Infinity),
    });
    const estimate = gae({ rewards, values: value, gamma: params.gamma, lambda: params.lambda });
    offsets.push(offset);
    values.push(value);
    raw.push(estimate.advantages);
    returns.push(estimate.returns);
  });
  return {
    oldLogprobs: rows.map(({ logprobs }) => logprobs),
    offsets,
    values,
    advantages: params.whiten_advantages ? whiten(raw) : raw,
    returns,
    explainedVariance: explainedVariance(values, returns),
  };
}
