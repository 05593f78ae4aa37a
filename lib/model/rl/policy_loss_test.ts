import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { f64, type HostTensor } from "@/lib/compute/tensor/tensor.ts";
import { evaluateVjp } from "@/tests/support/evaluate.ts";
import type { PolicyClip } from "./policy_clip.ts";
import { policyLossPerToken } from "./policy_loss.ts";
import { policyStatistics } from "./policy_statistics.ts";

const CLIP = { clipLow: 0.2, clipHigh: 0.28 };

/** Loss of each token and its derivative with respect to the log-probability; tokens are given by ratio and advantage. */
function lossAndGradient(
  tokens: readonly { ratio: number; advantage: number }[],
  clip: PolicyClip,
): [number[], number[]] {
  const vector = (numbers: number[]): HostTensor => f64([numbers.length], numbers);
  const { outputs, cotangents } = evaluateVjp(
    (logprobs, oldLogprobs, advantages) =>
      policyLossPerToken({ logprobs: logprobs!, oldLogprobs: oldLogprobs!, advantages: advantages! }, clip),
    [
      vector(tokens.map(({ ratio }) => -1 + Math.log(ratio))),
      vector(tokens.map(() => -1)),
      vector(tokens.map((t) => t.advantage)),
    ],
    { wrt: [0] },
  );
  return [Array.from(outputs[0]!.data, Number), Array.from(cotangents[0]!.data, Number)];
}

function assertClose(actual: readonly number[], expected: readonly number[]): void {
  assertEquals(actual.length, expected.length);
  actual.forEach((a, i) => assertAlmostEquals(a, expected[i]!, 1e-12));
}

Deno.test("policyLossPerToken() has no gradient where the clip decides, and −A·r elsewhere (statement 8)", () => {
  const [loss, gradient] = lossAndGradient([
    { ratio: 1.1, advantage: 2 }, // inside
    { ratio: 1.5, advantage: 2 }, // above, wanted up: clipped
    { ratio: 1.5, advantage: -2 }, // above, wanted down: free to return
    { ratio: 0.5, advantage: 2 }, // below, wanted up: free to return
    { ratio: 0.5, advantage: -2 }, // below, wanted down: clipped
  ], CLIP);
  assertClose(loss, [-2.2, -2.56, 3, -1, 1.6]);
  assertClose(gradient, [-2.2, 0, 3, -1, 0]);
});

Deno.test("policyLossPerToken() at ratio 1 has the gradient −A: the tie goes to the unclipped branch", () => {
  const [loss, gradient] = lossAndGradient([{ ratio: 1, advantage: 3 }, { ratio: 1, advantage: -3 }], CLIP);
  assertEquals(loss, [-3, 3]);
  assertEquals(gradient, [-3, 3]);
});

Deno.test("policyLossPerToken() with a dual clip: at most c·|A|, for negative advantages only (statement 57)", () => {
  const clip = { ...CLIP, dualClip: 3 };
  const tokens = [{ ratio: 5, advantage: -2 }, { ratio: 2.5, advantage: -2 }, { ratio: 5, advantage: 2 }];
  const [loss, gradient] = lossAndGradient(tokens, clip);
  assertClose(loss, [6, 5, -2.56]);
  assertClose(gradient, [0, 5, 0]);
  const [plain] = lossAndGradient(tokens, CLIP);
  assertClose(plain, [10, 5, -2.56]);
});

Deno.test("policyLossPerToken() stays finite for log-ratios that would overflow", () => {
  const { outputs, cotangents } = evaluateVjp(
    (lp, old, a) => policyLossPerToken({ logprobs: lp!, oldLogprobs: old!, advantages: a! }, CLIP),
    [f64([2], [-1, -900]), f64([2], [-900, -1]), f64([2], [-1, -1])],
    { wrt: [0] },
  );
  for (const { data } of [outputs[0]!, cotangents[0]!]) {
    assert([...data].every((x) => Number.isFinite(Number(x))));
  }
  assertEquals(Array.from(cotangents[0]!.data, Number).map(Math.abs), [0, 0]);
});

Deno.test("policyLossPerToken() equals the formula and its central difference away from the kinks", () => {
  const token = fc.record({
    ratio: fc.double({ min: 0.3, max: 3, noNaN: true }),
    advantage: fc.double({ min: -3, max: 3, noNaN: true }),
  });
  const formula = (ratio: number, a: number, c: number) => {
    const loss = Math.max(-a * ratio, -a * Math.min(Math.max(ratio, 0.8), 1.28));
    return a < 0 ? Math.min(loss, -a * c) : loss;
  };
  fc.assert(
    fc.property(fc.array(token, { minLength: 1, maxLength: 20 }), (tokens) => {
      const [loss, gradient] = lossAndGradient(tokens, { ...CLIP, dualClip: 2 });
      tokens.forEach(({ ratio, advantage }, i) => {
        assertAlmostEquals(loss[i]!, formula(ratio, advantage, 2), 1e-9);
        if ([0.8, 1.28, 2].some((kink) => Math.abs(ratio - kink) < 1e-3)) return;
        const h = 1e-6;
        const slope =
          (formula(ratio * Math.exp(h), advantage, 2) - formula(ratio * Math.exp(-h), advantage, 2)) /
          (2 * h);
        assertAlmostEquals(gradient[i]!, slope, 1e-6);
      });
    }),
    { seed: 1, numRuns: 30 },
  );
});

Deno.test("policyLossPerToken() names every bound that is out of range", () => {
  assertThrows(
    () => lossAndGradient([{ ratio: 1, advantage: 1 }], { clipLow: 1, clipHigh: -0.1, dualClip: 1 }),
    RangeError,
    "Invalid bounds of the policy ratio: required are clipLow in [0, 1), got 1; clipHigh in [0, ∞), got -0.1; dualClip above 1, got 1",
  );
});

Deno.test("policyStatistics() of an unchanged policy: ratio 1, no clip, KL 0 (statement 54)", () => {
  const logprobs = [-1, -0.3, -7];
  assertEquals(
    policyStatistics({ logprobs, oldLogprobs: logprobs, advantages: [1, -1, 0] }, { ...CLIP, dualClip: 3 }),
    {
      tokens: 3,
      ratioMean: 1,
      ratioVariance: 0,
      ratioDeviation: 0,
      clipFraction: 0,
      clippedAbove: 0,
      clippedBelow: 0,
      dualClipped: 0,
      dualClipFraction: 0,
      approxKlK1: 0,
      approxKlK2: 0,
      approxKlK3: 0,
    },
  );
});

Deno.test("policyStatistics(): k1 is mean(−l), k3 is mean(e^l − 1 − l), l = new − old (statement 49)", () => {
  const l = [0.5, -0.25];
  const found = policyStatistics({ logprobs: l, oldLogprobs: [0, 0], advantages: [1, -1] }, CLIP);
  assertAlmostEquals(found.approxKlK1, -0.125, 1e-12);
  assertAlmostEquals(found.approxKlK2, (0.25 + 0.0625) / 4, 1e-12);
  assertAlmostEquals(found.approxKlK3, (Math.exp(0.5) - 1.5 + Math.exp(-0.25) - 0.75) / 2, 1e-12);
  assertEquals([found.clippedAbove, found.clippedBelow, found.clipFraction], [1, 1, 1]);
});

Deno.test("policyStatistics(): mean and variance of the ratio over tokens", () => {
  const { ratioMean, ratioVariance } = policyStatistics(
    {
      logprobs: [Math.log(0.5), Math.log(0.25)],
      oldLogprobs: [Math.log(0.25), Math.log(0.25)],
      advantages: [1, 1],
    },
    { clipLow: 0.2, clipHigh: 0.2 },
  );
  assertAlmostEquals(ratioMean, 1.5, 1e-12);
  assertAlmostEquals(ratioVariance, 0.25, 1e-12);
});
