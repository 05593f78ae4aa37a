/** Golden topics of advantages, whitening and aggregation. @module */
import { aggregate, type Aggregation, AGGREGATIONS } from "./aggregate.ts";
import { explainedVariance } from "./explained_variance.ts";
import { gae } from "./gae.ts";
import type { GoldenCase, GoldenTally } from "./golden_case.ts";
import { groupMeanBaseline, grpo, rloo } from "./group_baselines.ts";
import { moments } from "./moments.ts";
import { ppoRewards } from "./ppo_rewards.ts";
import { reinforcePlusPlus, reinforcePlusPlusBaseline } from "./reinforce_plus_plus.ts";
import { residualPrefix } from "./residual_critic.ts";
import { fromRows, type Rows, toRows } from "./rows.ts";
import { responseReward } from "./srppo_reward.ts";
import { whiten } from "./whiten.ts";

/** `gae`, `gae_bootstrap` and `gae_interior_mask`: masks with holes become rows by leaving the holes out. */
export function checkGae(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const values = toRows(golden.rows("values"), mask);
  const bootstrap = golden.has("bootstrap_value") ? golden.list("bootstrap_value") : values.map(() => 0);
  const options = { gamma: golden.number("gamma"), lambda: golden.number("lambda_") };
  const results = toRows(golden.rows("rewards"), mask).map((rewards, b) =>
    gae({ rewards, values: values[b]!, bootstrap: bootstrap[b]!, ...options })
  );
  tally.compare("advantages", fromRows(results.map((r) => r.advantages), mask), golden.rows("advantages"));
  tally.compare("returns", fromRows(results.map((r) => r.returns), mask), golden.rows("returns"));
}

/** `prefix_shift`: reward at the end with V, and reward per token with V minus the prefix. */
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
  const results: Record<string, Rows> = {
    prefix,
    eos_rewards: atEnd,
    advantages_eos: eos.map((r) => r.advantages),
    advantages_dense_shifted: dense.map((r) => r.advantages),
    returns_eos: eos.map((r) => r.returns),
    returns_dense_shifted: dense.map((r) => r.returns),
  };
  for (const [name, rows] of Object.entries(results)) {
    tally.compare(name, fromRows(rows, mask), golden.rows(name));
  }
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
  tally.compare("whitened", fromRows(whitened, mask), golden.rows("whitened"));
}

/** `aggregate` */
export function checkAggregate(golden: GoldenCase, tally: GoldenTally): void {
  const mask = golden.rows("mask");
  const rows = toRows(golden.rows("x"), mask);
  for (const kind of AGGREGATIONS) {
    tally.compare(kind, aggregate(kind, rows, { normLength: mask[0]!.length }), golden.number(kind));
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
  const mask = golden.rows("mask");
  const scores = golden.list("scores"), groups = golden.list("groups");
  const kl = toRows(golden.rows("token_kl"), mask);
  tally.compare("rloo", rloo(scores, groups), golden.list("rloo"));
  tally.compare("group_mean_baseline", groupMeanBaseline(scores, groups), golden.list("group_mean_baseline"));
  tally.compare("grpo", grpo(scores, groups), golden.list("grpo"));
  const baseline = reinforcePlusPlusBaseline(scores, { groups, lengths: kl.map((row) => row.length) });
  tally.compare("reinforce_pp_baseline", fromRows(baseline, mask), golden.rows("reinforce_pp_baseline"));
  const { returns, advantages } = reinforcePlusPlus(kl, { scores, beta: golden.number("beta") });
  tally.compare("reinforce_pp_returns", fromRows(returns, mask), golden.rows("reinforce_pp_returns"));
  tally.compare("reinforce_pp", fromRows(advantages, mask), golden.rows("reinforce_pp"));
}

/** The aggregation that a case names. */
export function aggregationOf(golden: GoldenCase): Aggregation {
  const name = golden.text("aggregation");
  const known = AGGREGATIONS.find((kind) => kind === name);
  if (known) return known;
  throw new RangeError(
    `Cannot aggregate "${name}" as it must be one of ${AGGREGATIONS.join(", ")}: it is unknown`,
  );
}
