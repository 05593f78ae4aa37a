/** Advantages: values of the critic, generalised advantage estimation or an estimator without a critic, whitening. @module */
import { criticFreeAdvantages, GROUP_ESTIMATORS } from "@/lib/model/rl/advantage_estimators.ts";
import { gae } from "@/lib/model/rl/gae.ts";
import { moments } from "@/lib/model/rl/moments.ts";
import { residualBootstrap, residualPrefix, residualValues } from "@/lib/model/rl/residual_critic.ts";
import { checkFinite } from "@/lib/model/rl/rows.ts";
import { whiten } from "@/lib/model/rl/whiten.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { type Sequence, targetsFrom } from "@/lib/model/train/batching.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { tokenValues } from "@/lib/model/train/token_logprobs.ts";
import type { Params } from "./params.ts";
import { continues } from "./rewards.ts";
import type { Evaluated, RewardedRollout, Rollout, Trajectory } from "./trajectory.ts";

/** What whitening adds to the variance, as `whiten()` does. */
const EPSILON = 1e-8;

/**
 * Returns the rollouts with the critic's outputs, from one pass over all states.
 * @throws {DataError} naming the rows with a value that is not finite
 */
export function withCriticOutputs<R extends Rollout>(
  critic: Network,
  rollouts: readonly R[],
  params: Params,
): (R & Evaluated)[] {
  const outputs = tokenValues(
    critic,
    rollouts.map((rollout) => continues(rollout, params) ? withStateAfter(rollout) : rollout.sequence),
  );
  checkFinite({ values: outputs });
  return rollouts.map((rollout, i) => {
    const output = outputs[i]!;
    const criticOutput = continues(rollout, params)
      ? { perToken: output.subarray(0, -1), afterLast: output.at(-1)! }
      : { perToken: output, afterLast: undefined };
    return { ...rollout, criticOutput };
  });
}

/**
 * Returns the rollout's sequence with one more target. The last id of a sequence is not fed, so any will do, and a row that fills the
 * model's context still fits.
 */
function withStateAfter({ promptIds, sequence: { ids } }: Rollout): Sequence {
  return {
    ids: Int32Array.from([...Array.from(ids), 0]),
    targets: targetsFrom(promptIds.length, ids.length + 1),
  };
}

/**
 * Returns the rollouts that are trained on with their advantages. Truncated responses are left out under missing_eos: mask.
 * @param rollouts with the critic's outputs where the estimator is gae
 * @param scale of the reward
 * @returns `advantageStd`, what whitening divided by: 1 without it
 * @throws {DataError} naming prompts with one response, where the estimator compares responses
 */
export function withAdvantages(
  rollouts: readonly (RewardedRollout & Partial<Evaluated>)[],
  scale: number,
  params: Params,
): { readonly trajectories: readonly Trajectory[]; readonly advantageStd: number } {
  const estimated = params.advantage_estimator === "gae"
    ? rollouts.map((rollout) => withGae(rollout, scale, params))
    : withoutCritic(rollouts, params.advantage_estimator, params);
  const trained = estimated.filter(({ isTruncated }) => params.missing_eos !== "mask" || !isTruncated);
  const raw = trained.map(({ advantages }) => advantages), { count, variance } = moments(raw);
  const advantages = params.whiten_advantages ? whiten(raw, { epsilon: EPSILON }) : raw;
  const bound = params.advantage_clip ?? Infinity;
  return {
    trajectories: trained.map((trajectory, i) => ({
      ...trajectory,
      advantages: advantages[i]!.map((a) => Math.min(Math.max(a, -bound), bound)),
    })),
    advantageStd: params.whiten_advantages && count > 1 ? Math.sqrt(variance + EPSILON) : 1,
  };
}

/** With residual_critic a value is the reward of the tokens so far plus the critic's output. */
function withGae(
  rollout: RewardedRollout & Partial<Evaluated>,
  scale: number,
  { gamma, lambda, residual_critic }: Params,
): Trajectory {
  const { rewards, rewardPerToken } = rollout, { perToken, afterLast } = rollout.criticOutput!;
  const offsets = residual_critic ? residualPrefix(rewardPerToken, scale) : new Float64Array(rewards.length);
  const oldValues = residualValues(perToken, offsets);
  const bootstrap = residual_critic && afterLast !== undefined
    ? residualBootstrap(afterLast, rewardPerToken, scale)
    : afterLast;
  const { advantages, returns } = gae({
    rewards,
    values: oldValues,
    gamma,
    lambda,
    bootstrap: bootstrap ?? 0,
  });
  return { ...rollout, advantages, critic: { offsets, oldValues, bootstrap, returns } };
}

function withoutCritic(
  rollouts: readonly RewardedRollout[],
  estimator: Exclude<Params["advantage_estimator"], "gae">,
  { gamma }: Params,
): Trajectory[] {
  const byPrompt = Map.groupBy(rollouts, ({ promptId }) => promptId), prompts = [...byPrompt.keys()];
  const single = prompts.filter((id) => byPrompt.get(id)!.length < 2);
  if (GROUP_ESTIMATORS.includes(estimator) && single.length > 0) {
    const names = listed(single.map((id) => `"${id}"`), { separator: ", " });
    throw new DataError(
      `advantage_estimator=${estimator} requires at least two responses per prompt (samples_per_prompt of rollout), got one for ${names}`,
      { column: "prompt_id" },
    );
  }
  const groupOf = new Map(prompts.map((id, group) => [id, group]));
  const advantages = criticFreeAdvantages(estimator, rollouts.map(({ rewards }) => rewards), {
    gamma,
    groups: rollouts.map(({ promptId }) => groupOf.get(promptId)!),
  });
  return rollouts.map((rollout, i) => ({ ...rollout, advantages: advantages[i]! }));
}
