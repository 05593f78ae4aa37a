import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { klEstimates, type KlEstimator } from "./kl.ts";
import { KL_ESTIMATORS_AT, KL_PLACEMENTS, klEstimatorAt } from "./kl_placement.ts";

const REF = [0.1, 0.2, 0.3, 0.4];

function softmax(logits: readonly number[]): number[] {
  const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
  return logits.map((x) => Math.exp(x) / total);
}

const kl = (p: readonly number[], q: readonly number[]) =>
  p.reduce((sum, x, i) => sum + x * Math.log(x / q[i]!), 0);

/** d f(softmax(logits)) / d logits by central differences. */
function difference(logits: readonly number[], f: (p: number[]) => number): number[] {
  return logits.map((_, v) => {
    const h = 1e-5, at = (s: number) => f(softmax(logits.map((x, i) => i === v ? x + s * h : x)));
    return (at(1) - at(-1)) / (2 * h);
  });
}

/** E[estimate · ∇log π] over all tokens: the policy gradient of an estimate in the reward. */
function rewardGradient(kind: KlEstimator, logits: readonly number[]): number[] {
  const p = softmax(logits), estimate = klEstimates(kind, p.map(Math.log), REF.map(Math.log));
  return p.map((_, v) =>
    p.reduce((sum, x, token) => sum + x * estimate[token]! * ((token === v ? 1 : 0) - p[v]!), 0)
  );
}

function assertClose(found: readonly number[], expected: readonly number[], tolerance: number): void {
  found.forEach((x, i) => assertAlmostEquals(x, expected[i]!, tolerance));
}

Deno.test("in the reward k1's policy gradient is the KL's; k3's lacks the reversed KL's and vanishes near the reference (statement 47)", () => {
  const logits = [0.3, -1, 0.8, 0];
  const forward = difference(logits, (p) => kl(p, REF)), reversed = difference(logits, (p) => kl(REF, p));
  assert(Math.max(...forward.map(Math.abs)) > 0.1);
  assertClose(rewardGradient("k1", logits), forward, 1e-8);
  assertClose(rewardGradient("k3", logits), forward.map((g, v) => g - reversed[v]!), 1e-8);
  // One logit of the reference moved by h: a gradient of first order is about h, one of second order h².
  const near = REF.map((p, v) => Math.log(p) + (v === 0 ? 1e-3 : 0));
  const size = (kind: KlEstimator) => Math.max(...rewardGradient(kind, near).map(Math.abs));
  assert(size("k1") > 5e-5, `${size("k1")}`);
  assert(size("k2") < 1e-6 && size("k3") < 1e-6, `${size("k2")} ${size("k3")}`);
});

Deno.test("klEstimatorAt() returns the first valid estimator or the given one, and refuses invalid ones by name", () => {
  assertEquals(KL_PLACEMENTS.map((placement) => klEstimatorAt(placement, null)), ["k1", "k2"]);
  for (const placement of KL_PLACEMENTS) {
    for (const kind of KL_ESTIMATORS_AT[placement]) assertEquals(klEstimatorAt(placement, kind), kind);
  }
  assertThrows(
    () => klEstimatorAt("reward", "k3"),
    RangeError,
    "The KL estimator in the reward must be k1, got k3, whose policy gradient vanishes at the reference",
  );
  assertThrows(
    () => klEstimatorAt("loss", "k1"),
    RangeError,
    "The KL estimator in the loss must be k2 or k3, got k1, whose expected gradient is not the KL's (that of k1 is 0)",
  );
});
