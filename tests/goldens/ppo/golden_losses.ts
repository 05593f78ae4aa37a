/** Golden topics of differentiable losses: values, and gradients through the injected evaluator. @module */
import type { Value } from "@/lib/compute/autodiff/mod.ts";
import { f64, type HostTensor, i64 } from "@/lib/compute/tensor/tensor.ts";
import { aggregationWeights } from "@/lib/model/rl/aggregate.ts";
import { explainedVariance, valueStatistics } from "@/lib/model/rl/value_statistics.ts";
import { goldenWeights } from "./golden_advantages.ts";
import { compareRows, fromRows, type GoldenCase, type GoldenTally, toRows } from "./golden_case.ts";
import { KL_ESTIMATORS } from "@/lib/model/rl/kl.ts";
import { klLossPerToken } from "@/lib/model/rl/kl_loss.ts";
import { policyLossPerToken } from "@/lib/model/rl/policy_loss.ts";
import { policyStatistics } from "@/lib/model/rl/policy_statistics.ts";
import { flatten, type Row, type Rows } from "@/lib/model/rl/rows.ts";
import { logprobsAndEntropy } from "@/lib/model/rl/token_logprobs.ts";
import { valueLossPerToken } from "@/lib/model/rl/value_loss.ts";

/** Evaluates traced functions; `tests/support/evaluate.ts` implements it. Injected, so that this folder needs no runtime. */
export interface Evaluator {
  /** outputs of `fn`, and Σ cotangent · d output / d input for the inputs in `wrt` */
  evaluateVjp(
    fn: (...inputs: Value[]) => Value | readonly Value[],
    inputs: readonly HostTensor[],
    options: { readonly wrt: readonly number[]; readonly cotangents: readonly HostTensor[] },
  ): { readonly outputs: readonly HostTensor[]; readonly cotangents: readonly (HostTensor | undefined)[] };
}

/** `policy_loss` */
export function checkPolicyLoss(golden: GoldenCase, tally: GoldenTally, evaluator: Evaluator): void {
  const mask = golden.rows("mask");
  const logprobs = toRows(golden.rows("logprobs"), mask);
  const oldLogprobs = toRows(golden.rows("old_logprobs"), mask);
  const advantages = toRows(golden.rows("advantages"), mask);
  const clip = {
    clipLow: golden.number("clip_low"),
    clipHigh: golden.number("clip_high"),
    dualClip: golden.numberOrNull("dual_clip"),
  };
  const weights = goldenWeights(golden.text("aggregation"), mask);
  const { outputs, cotangents } = evaluator.evaluateVjp(
    (lp, old, a) => policyLossPerToken({ logprobs: lp!, oldLogprobs: old!, advantages: a! }, clip),
    [logprobs, oldLogprobs, advantages].map(vector),
    { wrt: [0], cotangents: [vector([weights])] },
  );
  const losses = numbers(outputs[0]);
  tally.compare("loss", dot(weights, losses), golden.number("loss"));
  compareRows(golden, tally, {
    per_token_loss: like(logprobs, losses),
    grad_logprobs: like(logprobs, numbers(cotangents[0])),
    ratio: logprobs.map((row, b) => Float64Array.from(row, (x, t) => Math.exp(x - oldLogprobs[b]![t]!))),
  });
  const found = policyStatistics(
    { logprobs: flatten(logprobs), oldLogprobs: flatten(oldLogprobs), advantages: flatten(advantages) },
    clip,
  );
  const statistics: Record<string, number> = {
    clipfrac: found.clipFraction,
    clipped_above: found.clippedAbove,
    clipped_below: found.clippedBelow,
    dual_clipped: found.dualClipped,
    dual_clipfrac: found.dualClipFraction,
    approx_kl_k1: found.approxKlK1,
    approx_kl_k2: found.approxKlK2,
    approx_kl_k3: found.approxKlK3,
  };
  for (const [name, value] of Object.entries(statistics)) tally.compare(name, value, golden.number(name));
}

/** `value_loss` */
export function checkValueLoss(golden: GoldenCase, tally: GoldenTally, evaluator: Evaluator): void {
  const mask = golden.rows("mask");
  const values = toRows(golden.rows("values"), mask);
  const oldValues = toRows(golden.rows("old_values"), mask);
  const returns = toRows(golden.rows("returns"), mask);
  const options = { clipRange: golden.numberOrNull("clip_range") };
  const weights = aggregationWeights("token_mean", values.map((row) => row.length));
  const { outputs, cotangents } = evaluator.evaluateVjp(
    (v, old, r) => valueLossPerToken({ values: v!, oldValues: old!, returns: r! }, options),
    [values, oldValues, returns].map(vector),
    { wrt: [0], cotangents: [vector([weights])] },
  );
  const found = valueStatistics(
    { values: flatten(values), oldValues: flatten(oldValues), returns: flatten(returns) },
    options,
  );
  tally.compare("loss", dot(weights, numbers(outputs[0])), golden.number("loss"));
  tally.compare("loss on the host", found.loss, golden.number("loss"));
  compareRows(golden, tally, { grad_values: like(values, numbers(cotangents[0])) });
  tally.compare("clipfrac", found.clipFraction, golden.number("clipfrac"));
  tally.compare(
    "explained_variance",
    explainedVariance(values, returns),
    golden.numberOrNull("explained_variance"),
  );
}

/** `kl`: the estimators as losses. */
export function checkKlLoss(golden: GoldenCase, tally: GoldenTally, evaluator: Evaluator): void {
  const mask = golden.rows("mask");
  const logprobs = toRows(golden.rows("logprobs"), mask), ref = toRows(golden.rows("ref_logprobs"), mask);
  const weights = aggregationWeights("token_mean", logprobs.map((row) => row.length));
  for (const kind of KL_ESTIMATORS) {
    const { outputs, cotangents } = evaluator.evaluateVjp(
      (lp, refLogprobs) => klLossPerToken(kind, { logprobs: lp!, refLogprobs: refLogprobs! }),
      [vector(logprobs), vector(ref)],
      { wrt: [0], cotangents: [vector([weights])] },
    );
    tally.compare(
      `${kind} as a loss`,
      fromRows(like(logprobs, numbers(outputs[0])), mask),
      golden.rows(kind),
    );
    compareRows(golden, tally, { [`grad_${kind}`]: like(logprobs, numbers(cotangents[0])) });
  }
}

/** `logits` */
export function checkLogits(golden: GoldenCase, tally: GoldenTally, evaluator: Evaluator): void {
  const mask = golden.rows("mask");
  const logits = golden.blocks("logits");
  const counted = logits.flatMap((row, b) => row.filter((_, t) => mask[b]![t] !== 0));
  const ids = toRows(golden.rows("ids"), mask);
  const n = counted.length, vocabulary = counted[0]!.length;
  const inputs = [f64([n, vocabulary], counted.flat()), i64([n], flatten(ids))];
  const temperature = golden.number("temperature");
  const run = (onLogprob: number, onEntropy: number) =>
    evaluator.evaluateVjp(
      (x, id) => {
        const { logprobs, entropy } = logprobsAndEntropy(x!, id!, temperature);
        return [logprobs, entropy];
      },
      inputs,
      {
        wrt: [0],
        cotangents: [onLogprob, onEntropy].map((g) => vector([new Float64Array(n).fill(g / n)])),
      },
    );
  const nll = run(-1, 0), entropy = run(0, 1);
  const [logprobs, entropies] = nll.outputs.map(numbers) as [Float64Array, Float64Array];
  compareRows(golden, tally, { logprobs: like(ids, logprobs), entropy: like(ids, entropies) });
  tally.compare("nll_mean", -logprobs.reduce((a, b) => a + b) / n, golden.number("nll_mean"));
  tally.compare("entropy_mean", entropies.reduce((a, b) => a + b) / n, golden.number("entropy_mean"));
  for (const [name, result] of Object.entries({ nll, entropy })) {
    const gradient = numbers(result.cotangents[0]);
    let at = 0;
    const full = mask.map((row) =>
      row.map((m) => {
        const from = m === 0 ? -1 : at++ * vocabulary;
        return from < 0 ? new Float64Array(vocabulary) : gradient.slice(from, from + vocabulary);
      })
    );
    const field = `grad_logits_of_${name}_mean`;
    // a case of large magnitudes may have no gradients: ours must then be finite, which a comparison with themselves checks
    tally.compare(field, full, golden.has(field) ? golden.blocks(field) : full);
  }
}

function vector(rows: Rows): HostTensor {
  const flat = flatten(rows);
  return f64([flat.length], flat);
}

function numbers(tensor: HostTensor | undefined): Float64Array {
  return Float64Array.from(tensor?.data ?? [], Number);
}

/** Returns flat numbers as rows with the lengths of `rows`. */
function like(rows: Rows, flat: Float64Array): Float64Array[] {
  let at = 0;
  return rows.map((row) => flat.slice(at, at += row.length));
}

function dot(a: Row, b: Float64Array): number {
  return b.reduce((sum, x, i) => sum + x * a[i]!, 0);
}
