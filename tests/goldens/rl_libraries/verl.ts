/** Compares PPO functions with values that verl's own functions computed. @module */
import { adaptiveKl } from "@/lib/model/rl/adaptive_kl.ts";
import { criticFreeAdvantages } from "@/lib/model/rl/advantage_estimators.ts";
import { gae } from "@/lib/model/rl/gae.ts";
import { klEstimates, type KlEstimator } from "@/lib/model/rl/kl.ts";
import { klLossPerToken } from "@/lib/model/rl/kl_loss.ts";
import { policyLossPerToken } from "@/lib/model/rl/policy_loss.ts";
import { policyStatistics } from "@/lib/model/rl/policy_statistics.ts";
import { ppoRewards } from "@/lib/model/rl/ppo_rewards.ts";
import { valueLossPerToken } from "@/lib/model/rl/value_loss.ts";
import { valueStatistics } from "@/lib/model/rl/value_statistics.ts";
import { whiten } from "@/lib/model/rl/whiten.ts";
import {
  type Compared,
  type Gradients,
  lossAndGradient,
  type Reduction,
  type Rows,
  sum,
  weightsOf,
} from "./compare.ts";

interface GaeCase {
  gamma: number;
  lambda: number;
  rewards: Rows;
  values: Rows;
  returns: Rows;
  whitened_advantages: Rows;
}

/** Compares one case of its file. */
export function checkGae(c: GaeCase): Compared {
  const results = c.rewards.map((rewards, b) => gae({ ...c, rewards, values: c.values[b]! }));
  return {
    returns: [results.map((r) => r.returns), c.returns],
    whitened_advantages: [sampleWhiten(results.map((r) => r.advantages)), c.whitened_advantages],
  };
}

/**
 * Returns `whiten()` in verl's form. verl divides by the sample deviation (n − 1), `whiten()` as Ziegler et al. 2019 by the population's
 * (n): its results are √(n/(n − 1)) times verl's. Both add 1e-8 to the variance.
 */
function sampleWhiten(rows: readonly ArrayLike<number>[], shiftMean = true): Float64Array[] {
  const count = sum(rows.map((row) => row.length)), ratio = (count - 1) / count;
  const mean = shiftMean ? 0 : sum(rows.map((row) => sum(row))) / count;
  return whiten(rows, { shiftMean, epsilon: 1e-8 * ratio })
    .map((row) => row.map((x) => (x - mean) * Math.sqrt(ratio) + mean));
}

/** Compares one case of its file. */
export function checkWhiten(c: { shift_mean: boolean; x: Rows; whitened: Rows }): Compared {
  return { whitened: [sampleWhiten(c.x, c.shift_mean), c.whitened] };
}

interface PolicyCase {
  clip_low: number;
  clip_high: number;
  dual_clip: number | null;
  aggregation: Reduction;
  old_logprobs: Rows;
  logprobs: Rows;
  advantages: Rows;
  importance?: Rows;
  loss: number;
  gradient: Rows;
  clip_fraction: number;
  dual_clip_fraction: number;
  approx_kl: number;
}

function clippedLoss(c: PolicyCase): { readonly loss: number; readonly gradient: Gradients } {
  const weights = weightsOf(c.aggregation, c.logprobs);
  c.importance?.flat().forEach((w, i) => weights[i]! *= w);
  return lossAndGradient(
    (logprobs, oldLogprobs, advantages) =>
      policyLossPerToken(
        { logprobs: logprobs!, oldLogprobs: oldLogprobs!, advantages: advantages! },
        { clipLow: c.clip_low, clipHigh: c.clip_high, dualClip: c.dual_clip },
      ),
    [c.logprobs, c.old_logprobs, c.advantages],
    weights,
  );
}

/** Compares one case of its file. */
export function checkPolicyLoss(c: PolicyCase): Compared {
  const { loss, gradient } = clippedLoss(c);
  if (c.importance) return { loss: [loss, c.loss], gradient: [gradient, c.gradient] };
  const statistics = policyStatistics(
    { logprobs: c.logprobs.flat(), oldLogprobs: c.old_logprobs.flat(), advantages: c.advantages.flat() },
    { clipLow: c.clip_low, clipHigh: c.clip_high, dualClip: c.dual_clip },
  );
  return {
    loss: [loss, c.loss],
    gradient: [gradient, c.gradient],
    clip_fraction: [statistics.clipFraction, c.clip_fraction],
    dual_clip_fraction: [statistics.dualClipFraction, c.dual_clip_fraction],
    approx_kl: [statistics.approxKlK1, c.approx_kl],
  };
}

interface ValueCase {
  clip_range: number | null;
  aggregation: Reduction;
  values: Rows;
  old_values: Rows;
  returns: Rows;
  loss: number;
  gradient: Rows;
  clip_fraction: number;
}

/** Compares one case of its file. */
export function checkValueLoss(c: ValueCase): Compared {
  const options = { clipRange: c.clip_range };
  const { loss, gradient } = lossAndGradient(
    (values, oldValues, returns) =>
      valueLossPerToken({ values: values!, oldValues: oldValues!, returns: returns! }, options),
    [c.values, c.old_values, c.returns],
    weightsOf(c.aggregation, c.values),
  );
  const { clipFraction } = valueStatistics(
    { values: c.values.flat(), oldValues: c.old_values.flat(), returns: c.returns.flat() },
    options,
  );
  return {
    loss: [loss, c.loss],
    gradient: [gradient, c.gradient],
    clip_fraction: [clipFraction, c.clip_fraction],
  };
}

/** Compares one case of its file. */
export function checkAggregate(c: { aggregation: Reduction; losses: Rows; loss: number }): Compared {
  const weights = weightsOf(c.aggregation, c.losses);
  return { loss: [sum(c.losses.flat().map((x, i) => x * weights[i]!)), c.loss] };
}

interface KlCase {
  estimator: KlEstimator;
  bounds: { log_ratio: number; estimate: number } | null;
  logprobs: Rows;
  ref_logprobs: Rows;
  estimates: Rows;
  gradient: Rows;
}

/** Compares one case of its file. */
export function checkKl(c: KlCase): Compared {
  const options = c.bounds ? { bounds: { logRatio: c.bounds.log_ratio, estimate: c.bounds.estimate } } : {};
  const { gradient } = lossAndGradient(
    (logprobs, refLogprobs) =>
      klLossPerToken(c.estimator, { logprobs: logprobs!, refLogprobs: refLogprobs! }, options),
    [c.logprobs, c.ref_logprobs],
    new Float64Array(c.logprobs.flat().length).fill(1),
  );
  const estimates = c.logprobs.map((row, b) => klEstimates(c.estimator, row, c.ref_logprobs[b]!, options));
  // |d| has derivative 1 at d = 0 here, 0 in torch; no loss uses it
  if (c.estimator === "abs") return { estimates: [estimates, c.estimates] };
  return { estimates: [estimates, c.estimates], gradient: [gradient, c.gradient] };
}

interface RewardCase {
  beta: number;
  scores: readonly number[];
  logprobs: Rows;
  ref_logprobs: Rows;
  rewards: Rows;
}

/** Compares one case of its file. */
export function checkTokenRewards(c: RewardCase): Compared {
  const rewards = c.logprobs.map((row, b) =>
    ppoRewards(klEstimates("k1", row, c.ref_logprobs[b]!), { beta: c.beta, reward: c.scores[b]! })
  );
  return { rewards: [rewards, c.rewards] };
}

interface CriticFreeCase {
  estimator: "grpo" | "grpo_no_std" | "rloo" | "reinforce_pp_baseline" | "reinforce_pp";
  gamma?: number;
  groups: readonly number[];
  rewards: Rows;
  returns?: Rows;
  advantages: Rows;
}

/** Compares one case of its file. */
export function checkCriticFree(c: CriticFreeCase): Compared {
  // grpo without the deviation is the baseline of reinforce_pp_baseline before whitening
  const kind = c.estimator === "grpo_no_std" ? "reinforce_pp_baseline" : c.estimator;
  const plain = criticFreeAdvantages(kind, c.rewards, {
    gamma: c.gamma ?? 1,
    groups: c.groups,
    epsilon: 1e-6, // verl's
  });
  const advantages = c.estimator.startsWith("reinforce_pp") ? sampleWhiten(plain) : plain;
  return {
    advantages: [advantages, c.advantages],
    ...(c.returns ? { returns: [plain, c.returns] } : {}),
  };
}

interface AdaptiveCase {
  beta: number;
  target: number;
  horizon: number;
  steps: number;
  kl: readonly number[];
  betas: readonly number[];
}

/** Compares one case of its file. */
export function checkAdaptiveKl(c: AdaptiveCase): Compared {
  let beta = c.beta;
  return { betas: [c.kl.map((kl) => beta = adaptiveKl(beta, kl, c)), c.betas] };
}
