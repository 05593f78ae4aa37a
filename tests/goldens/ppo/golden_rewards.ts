/** Golden topics of rewards, KL penalties and their controller. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { adaptiveKl } from "@/lib/model/rl/adaptive_kl.ts";
import { COMBINATIONS, combineMembers } from "@/lib/model/rl/bagged_reward.ts";
import { compareRows, type GoldenCase, type GoldenTally, toRows } from "./golden_case.ts";
import { KL_ESTIMATORS, klEstimates } from "@/lib/model/rl/kl.ts";
import { correlation, moments } from "@/lib/model/rl/moments.ts";
import { ppoRewards } from "@/lib/model/rl/ppo_rewards.ts";
import { residualPrefix } from "@/lib/model/rl/residual_critic.ts";
import { fitRewardScale, scaleReward } from "@/lib/model/rl/reward_scale.ts";
import { type Row, type Rows } from "@/lib/model/rl/rows.ts";
import { responseReward } from "@/lib/model/rl/srppo_reward.ts";
import { tokenRewards } from "@/lib/model/rl/token_rewards.ts";
import { NO_GUARDS } from "@/tests/support/no_guards.ts";

/** `kl`: the estimates and the penalty in the reward; gradients are those of golden_losses.ts. */
export function checkKl(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const refLogprobs = toRows(golden.rows("ref_logprobs"), mask);
  const logprobs = toRows(golden.rows("logprobs"), mask);
  for (const kind of KL_ESTIMATORS) {
    const rows = logprobs.map((row, b) => klEstimates(kind, row, refLogprobs[b]!));
    compareRows(golden, tally, { [kind]: rows });
    tally.compare(`${kind}_mean`, moments(rows).mean, golden.number(`${kind}_mean`));
  }
  const beta = golden.number("beta"), score = golden.list("score");
  const rewards = logprobs.map((row, b) =>
    ppoRewards(klEstimates("k1", row, refLogprobs[b]!), { beta, reward: score[b]! })
  );
  compareRows(golden, tally, { rewards_k1_in_reward: rewards });
}

/** `adaptive_kl` */
export function checkAdaptiveKl(golden: GoldenCase, tally: GoldenTally): void {
  const options = {
    target: golden.number("target"),
    horizon: golden.number("horizon"),
    steps: golden.number("n_steps"),
  };
  let beta = golden.number("init");
  const after = golden.list("kl").map((kl) => beta = adaptiveKl(beta, kl, options));
  tally.compare("coef_after", after, golden.list("coef_after"));
}

/** `srppo_reward` */
export function checkSrppoReward(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const sft = toRows(golden.rows("sft_logprobs"), mask), base = toRows(golden.rows("base_logprobs"), mask);
  const ratios = sft.map((row, b) => logRatios(row, base[b]!));
  compareRows(golden, tally, { token_log_ratio: ratios });
  for (const norm of ["none", "mean", "sqrt"] as const) {
    const name = norm === "none" ? "reward_sum" : `reward_${norm}`;
    tally.compare(name, ratios.map((row) => responseReward(row, norm)), golden.list(name));
  }
  const sums = ratios.map((row) => responseReward(row));
  compareRows(golden, tally, { rewards_at_eos: rewardAtEnd(ratios, sums) });
  const swapped = sft.map((row, b) => responseReward(logRatios(base[b]!, row)));
  tally.compare("swapped_reward_sum", swapped, golden.list("swapped_reward_sum"));
  const lengths = ratios.map((row) => row.length);
  tally.compare("corr_reward_length", correlation(sums, lengths), golden.numberOrNull("corr_reward_length"));
}

/** `bagged_reward` */
export function checkBaggedReward(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const combination = COMBINATIONS.find((kind) => kind === golden.text("combine"));
  if (!combination) {
    throw new DataError(`combine must be one of ${COMBINATIONS.join(", ")}, got "${golden.text("combine")}"`);
  }
  const guards = {
    ...NO_GUARDS,
    floor: golden.numberOrNull("floor"),
    eosBound: golden.numberOrNull("eos_bound"),
  };
  const members = golden.blocks("member_logprobs").map((block) => toRows(block, mask));
  const base = toRows(golden.rows("base_logprobs"), mask), isEos = toRows(golden.rows("eos"), mask);
  const target = base.map((_, b) => combineMembers(members.map((rows) => rows[b]!), combination));
  const rewards = target.map((row, b) =>
    tokenRewards({ target: row, base: base[b]!, baseline: base[b]!, isEos: isEos[b]! }, guards)
  );
  const raw = rewards.map((row) => responseReward(row));
  const fitted = fitRewardScale(raw);
  const scaled = raw.map((r) => scaleReward(r, fitted));
  tally.compare("raw_reward", raw, golden.list("raw_reward"));
  tally.compare("centre", fitted.centre, golden.number("centre"));
  tally.compare("scale", fitted.scale, golden.number("scale"));
  tally.compare("scaled_reward", scaled, golden.list("scaled_reward"));
  compareRows(golden, tally, {
    target_logprobs: target,
    token_rewards: rewards,
    prefix_sum: rewards.map((row) => residualPrefix(row)),
    residual_prefix: rewards.map((row) => residualPrefix(row, fitted.scale)),
    rewards_at_last_token: rewardAtEnd(rewards, scaled),
  });
}

/** Returns the paper's reward per token: log π_target − log π_base. */
function logRatios(target: Row, base: Row): Float64Array {
  return tokenRewards({ target, base, baseline: base, isEos: new Uint8Array(target.length) }, NO_GUARDS);
}

/** Returns rewards with the reward of each response at its last token, without a KL penalty. */
function rewardAtEnd(rows: Rows, rewards: Row): Float64Array[] {
  return rows.map((row, b) => ppoRewards(new Float64Array(row.length), { beta: 0, reward: rewards[b]! }));
}
