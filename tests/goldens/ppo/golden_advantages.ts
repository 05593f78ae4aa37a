/** Golden topics of advantages, whitening and aggregation. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { criticFreeAdvantages } from "@/lib/model/rl/advantage_estimators.ts";
import { aggregationWeights } from "@/lib/model/rl/aggregate.ts";
import { explainedVariance } from "@/lib/model/rl/value_statistics.ts";
import { gae } from "@/lib/model/rl/gae.ts";
import { compareRows, type GoldenCase, type GoldenTally, toRows } from "./golden_case.ts";
import { moments } from "@/lib/model/rl/moments.ts";
import { ppoRewards } from "@/lib/model/rl/ppo_rewards.ts";
import { residualPrefix } from "@/lib/model/rl/residual_critic.ts";
import { flatten, type Rows } from "@/lib/model/rl/rows.ts";
import { responseReward } from "@/lib/model/rl/srppo_reward.ts";
import { whiten } from "@/lib/model/rl/whiten.ts";

/** `gae`, `gae_bootstrap` and `gae_interior_mask`: masks with holes become rows by leaving the holes out. */
export function checkGae(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const values = toRows(golden.rows("values"), mask);
  const bootstrap = golden.has("bootstrap_value") ? golden.list("bootstrap_value") : values.map(() => 0);
  const options = { gamma: golden.number("gamma"), lambda: golden.number("lambda_") };
  const results = toRows(golden.rows("rewards"), mask).map((rewards, b) =>
    gae({ rewards, values: values[b]!, bootstrap: bootstrap[b]!, ...options })
  );
  compareRows(golden, tally, {
    advantages: results.map((r) => r.advantages),
    returns: results.map((r) => r.returns),
  });
}

/** `prefix_shift`: the reward at the last token with V, and rewards per token with V minus the prefix. */
export function checkPrefixShift(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const ratios = toRows(golden.rows("token_log_ratio"), mask);
  const values = toRows(golden.rows("values"), mask);
  const prefix = ratios.map((row) => residualPrefix(row));
  const atEnd = ratios.map((row) =>
    ppoRewards(new Float64Array(row.length), { beta: 0, reward: responseReward(row) })
  );
  const shifted = values.map((row, b) => row.map((v, t) => v - prefix[b]![t]!));
  const options = { gamma: golden.number("gamma"), lambda: golden.number("lambda_") };
  const eos = atEnd.map((rewards, b) => gae({ rewards, values: values[b]!, ...options }));
  const dense = ratios.map((rewards, b) => gae({ rewards, values: shifted[b]!, ...options }));
  compareRows(golden, tally, {
    prefix,
    eos_rewards: atEnd,
    advantages_eos: eos.map((r) => r.advantages),
    advantages_dense_shifted: dense.map((r) => r.advantages),
    returns_eos: eos.map((r) => r.returns),
    returns_dense_shifted: dense.map((r) => r.returns),
  });
}

/** `whiten` */
export function checkWhiten(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const rows = toRows(golden.rows("x"), mask);
  const shiftMean = golden.flag("shift_mean");
  const whitened = whiten(rows, { shiftMean, epsilon: golden.number("eps") });
  const { mean, variance } = moments(rows);
  tally.compare("mean", mean, golden.number("mean"));
  tally.compare("variance", variance, golden.number("var"));
  compareRows(golden, tally, { whitened });
}

/** `aggregate` */
export function checkAggregate(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const rows = toRows(golden.rows("x"), mask);
  const flat = flatten(rows);
  for (const name of ["token_mean", "seq_mean_token_mean", "seq_mean_token_sum", "seq_mean_token_sum_norm"]) {
    const weights = goldenWeights(name, mask);
    tally.compare(name, flat.reduce((sum, x, i) => sum + weights[i]! * x, 0), golden.number(name));
  }
  tally.compare(
    "masked_sum",
    rows.reduce((sum, row) => sum + responseReward(row), 0),
    golden.number("masked_sum"),
  );
  tally.compare("masked_mean", moments(rows).mean, golden.number("masked_mean"));
  tally.compare(
    "masked_mean_per_row",
    rows.map((row) => moments([row]).mean),
    golden.list("masked_mean_per_row"),
  );
}

/** `explained_variance` */
export function checkExplainedVariance(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const result = explainedVariance(toRows(golden.rows("values"), mask), toRows(golden.rows("returns"), mask));
  tally.compare("explained_variance", result, golden.numberOrNull("explained_variance"));
}

/** `critic_free` */
export function checkCriticFree(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask"), kl = toRows(golden.rows("token_kl"), mask);
  const scores = golden.list("scores"), groups = golden.list("groups");
  const rewards = (beta: number) => kl.map((row, b) => ppoRewards(row, { beta, reward: scores[b]! }));
  const options = { gamma: 1, groups, epsilon: 1e-6 };
  for (
    const [name, estimator] of [
      ["rloo", "rloo"],
      ["group_mean_baseline", "reinforce_pp_baseline"],
      ["grpo", "grpo"],
    ] as const
  ) {
    const perResponse = criticFreeAdvantages(estimator, rewards(0), options).map(([advantage]) => advantage!);
    tally.compare(name, perResponse, golden.list(name));
  }
  const returns = criticFreeAdvantages("reinforce_pp", rewards(golden.number("beta")), options);
  compareRows(golden, tally, {
    reinforce_pp_baseline: whiten(criticFreeAdvantages("reinforce_pp_baseline", rewards(0), options)),
    reinforce_pp_returns: returns,
    reinforce_pp: whiten(returns),
  });
}

/** Aggregations by verl's names. The last divides by a constant length (Dr. GRPO), in goldens that of the padded rows. */
const AGGREGATIONS = {
  token_mean: "token_mean",
  seq_mean_token_mean: "sequence_mean",
  seq_mean_token_sum: "sequence_sum",
  seq_mean_token_sum_norm: "constant_length",
} as const;

/**
 * Returns the weights of the counted tokens under an aggregation that a golden names.
 * @throws {DataError} if it is not one of verl's
 */
export function goldenWeights(name: string, mask: Rows): Float64Array {
  if (!Object.hasOwn(AGGREGATIONS, name)) {
    throw new DataError(`aggregation must be one of ${Object.keys(AGGREGATIONS).join(", ")}, got "${name}"`);
  }
  const lengths = toRows(mask, mask).map((row) => row.length);
  return aggregationWeights(AGGREGATIONS[name as keyof typeof AGGREGATIONS], lengths, mask[0]!.length);
}
