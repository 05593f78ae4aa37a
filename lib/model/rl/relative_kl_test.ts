/** The unit of a relative β: what it does not depend on, and the KL of the optimum. @module */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { betaUnit } from "./relative_kl.ts";

Deno.test("betaUnit() is the deviation of the rewards over the root of the entropy; 1 takes the place of a deviation of 0", () => {
  assertEquals(betaUnit([1, 3], 2), 1);
  assertEquals(betaUnit([5, 5, 5], 4), 0.5);
  assertThrows(
    () => betaUnit([1, 3], 0),
    RangeError,
    "The entropy of responses must be positive and finite, got 0",
  );
});

/** A bandit over responses: probabilities under the reference and rewards. */
interface Bandit {
  readonly probabilities: readonly number[];
  readonly rewards: readonly number[];
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

/** KL of the optimum at a relative β over the entropy of the reference, both by their definitions. */
function relativeKlOfOptimum({ probabilities, rewards }: Bandit, relativeBeta: number): number {
  const entropy = -sum(probabilities.map((p) => p * Math.log(p)));
  const mean = sum(probabilities.map((p, i) => p * rewards[i]!));
  const deviation = Math.sqrt(sum(probabilities.map((p, i) => p * (rewards[i]! - mean) ** 2)));
  const beta = relativeBeta * betaUnit([-deviation, deviation].map((x) => x / Math.SQRT2), entropy);
  const tilted = probabilities.map((p, i) => p * Math.exp(rewards[i]! / beta)), total = sum(tilted);
  return sum(tilted.map((t, i) => t / total * Math.log(t / total / probabilities[i]!))) / entropy;
}

/** Responses of n independent tokens of a bandit: products of probabilities, sums of rewards. */
function repeated(bandit: Bandit, n: number): Bandit {
  if (n === 1) return bandit;
  const rest = repeated(bandit, n - 1);
  return {
    probabilities: bandit.probabilities.flatMap((p) => rest.probabilities.map((q) => p * q)),
    rewards: bandit.rewards.flatMap((r) => rest.rewards.map((s) => r + s)),
  };
}

const TOKEN: Bandit = { probabilities: [0.4, 0.3, 0.2, 0.1], rewards: [0.3, -0.5, 0.1, 0.9] };

Deno.test("the optimum at a relative β does not depend on the reward's scale nor on the number of like tokens", () => {
  const one = relativeKlOfOptimum(TOKEN, 2);
  const scaled = { ...TOKEN, rewards: TOKEN.rewards.map((r) => 100 * r + 7) };
  assertAlmostEquals(relativeKlOfOptimum(scaled, 2), one, 1e-9);
  for (const n of [2, 4]) assertAlmostEquals(relativeKlOfOptimum(repeated(TOKEN, n), 2), one, 1e-9);
});

Deno.test("where rewards are normal under the reference, the KL of the optimum is entropy/(2·relativeBeta²)", () => {
  // Equally likely responses whose rewards are the quantiles of a normal distribution, as sums of many tokens nearly are.
  const many = repeated({ probabilities: [0.5, 0.5], rewards: [-1, 1] }, 14);
  for (const relativeBeta of [1.5, 3]) {
    const expected = 1 / (2 * relativeBeta ** 2);
    assertAlmostEquals(relativeKlOfOptimum(many, relativeBeta) / expected, 1, 0.3 / relativeBeta);
  }
});
