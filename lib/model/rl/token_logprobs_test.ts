import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { f64, i64 } from "@/lib/compute/tensor/tensor.ts";
import { evaluate, evaluateVjp } from "@/tests/support/evaluate.ts";
import type { KlEstimator } from "./kl.ts";
import { klLossPerToken } from "./kl_loss.ts";
import { type PolicyObjectiveOptions, policyObjectivePerToken } from "./policy_objective.ts";
import { logprobsAndEntropy } from "./token_logprobs.ts";

const LOGITS = [1, 2, 0.5, -1, 3, 0];
const IDS = [1, 0];

Deno.test("logprobsAndEntropy() divides logits by the sampling temperature (statement 18)", () => {
  for (const temperature of [1, 0.5, 2]) {
    const [logprobs, entropy] = evaluate((x, ids) => {
      const out = logprobsAndEntropy(x!, ids!, temperature);
      return [out.logprobs, out.entropy];
    }, [f64([2, 3], LOGITS), i64([2], IDS)]);
    [0, 1].forEach((n) => {
      const weights = LOGITS.slice(3 * n, 3 * n + 3).map((x) => Math.exp(x / temperature));
      const p = weights.map((w) => w / weights.reduce((a, b) => a + b));
      assertAlmostEquals(Number(logprobs!.data[n]), Math.log(p[IDS[n]!]!), 1e-12);
      assertAlmostEquals(Number(entropy!.data[n]), -p.reduce((sum, x) => sum + x * Math.log(x), 0), 1e-12);
    });
  }
});

Deno.test("logprobsAndEntropy() is finite for logits of ±1e4 and exact for a uniform row", () => {
  const [logprobs, entropy] = evaluate((x, ids) => {
    const out = logprobsAndEntropy(x!, ids!);
    return [out.logprobs, out.entropy];
  }, [f64([2, 4], [1e4, -1e4, 0, 5, 7, 7, 7, 7]), i64([2], [1, 2])]);
  assertEquals(Number(logprobs!.data[0]), -2e4);
  assertAlmostEquals(Number(entropy!.data[0]), 0, 1e-12);
  assertAlmostEquals(Number(entropy!.data[1]), Math.log(4), 1e-12);
});

Deno.test("logprobsAndEntropy() refuses a temperature of 0", () => {
  assertThrows(
    () =>
      evaluate((x, ids) => logprobsAndEntropy(x!, ids!, 0).logprobs, [f64([2, 3], LOGITS), i64([2], IDS)]),
    RangeError,
    "The temperature must be positive and finite, got 0",
  );
});

/** Σ_v π_v·∂ loss(v)/∂ logits: the expected gradient of a KL loss on the policy's own samples, over all four tokens. */
function expectedGradient(kind: KlEstimator, logits: number[], reference: number[]): number[] {
  const all = f64([4, 4], [0, 1, 2, 3].flatMap(() => logits)), ids = i64([4], [0, 1, 2, 3]);
  const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
  const p = logits.map((x) => Math.exp(x) / total);
  const { cotangents } = evaluateVjp(
    (x, id, refLogprobs) =>
      klLossPerToken(kind, { logprobs: logprobsAndEntropy(x!, id!).logprobs, refLogprobs: refLogprobs! }),
    [all, ids, f64([4], reference)],
    { wrt: [0], cotangents: [f64([4], p)] },
  );
  const rows = Array.from(cotangents[0]!.data, Number);
  return [0, 1, 2, 3].map((v) => rows.filter((_, i) => i % 4 === v).reduce((a, b) => a + b));
}

Deno.test("klLossPerToken(): k2's expected gradient is the KL's, k1's is 0, k3's is that of the reversed KL (statement 47)", () => {
  const logits = [0.3, -1, 0.8, 0], ref = [0.1, 0.2, 0.3, 0.4].map(Math.log);
  const softmax = (x: number[]) => x.map((v) => Math.exp(v) / x.reduce((s, w) => s + Math.exp(w), 0));
  const difference = (f: (p: number[]) => number) =>
    logits.map((_, v) => {
      const h = 1e-5, moved = (s: number) => logits.map((x, i) => i === v ? x + s * h : x);
      return (f(softmax(moved(1))) - f(softmax(moved(-1)))) / (2 * h);
    });
  const forward = difference((p) => p.reduce((sum, x, i) => sum + x * (Math.log(x) - ref[i]!), 0));
  const reversed = difference((p) =>
    p.reduce((sum, x, i) => sum + Math.exp(ref[i]!) * (ref[i]! - Math.log(x)), 0)
  );
  assert(Math.max(...forward.map(Math.abs)) > 0.1);
  const expected: Record<string, number[]> = { k1: [0, 0, 0, 0], k2: forward, k3: reversed };
  for (const [kind, gradient] of Object.entries(expected)) {
    expectedGradient(kind as KlEstimator, logits, ref).forEach((g, v) =>
      assertAlmostEquals(g, gradient[v]!, 1e-8)
    );
  }
});

Deno.test("klLossPerToken() with bounds has no gradient beyond them (statement 48)", () => {
  const bounds = { logRatio: 20, estimate: 10 };
  const { outputs, cotangents } = evaluateVjp(
    (logprobs, refLogprobs) =>
      klLossPerToken("k3", { logprobs: logprobs!, refLogprobs: refLogprobs! }, { bounds }),
    [f64([3], [-1000, -1.5, -0.5]), f64([3], [-1, -1, -800])],
    { wrt: [0] },
  );
  assertEquals(Number(outputs[0]!.data[0]), 10);
  assertEquals(Number(outputs[0]!.data[2]), 10);
  const gradient = Array.from(cotangents[0]!.data, Number);
  assertEquals([Math.abs(gradient[0]!), Math.abs(gradient[2]!)], [0, 0]);
  assertAlmostEquals(gradient[1]!, 1 - Math.exp(0.5), 1e-12);
});

function objective(options: PolicyObjectiveOptions): number[] {
  const inputs = [
    f64([2, 3], LOGITS),
    i64([2], IDS),
    f64([2], [-1, -1]),
    f64([2], [2, -1]),
    f64([2], [-2, -0.5]),
  ];
  const [loss] = evaluate(
    (logits, ids, oldLogprobs, advantages, refLogprobs) =>
      policyObjectivePerToken({
        logits: logits!,
        ids: ids!,
        oldLogprobs: oldLogprobs!,
        advantages: advantages!,
        refLogprobs: [refLogprobs!],
      }, options).loss,
    inputs,
  );
  return Array.from(loss!.data, Number);
}

Deno.test("policyObjectivePerToken() is the clipped loss minus c·entropy plus c·KL (statement 10)", () => {
  const clip = { clipLow: 0.2, clipHigh: 0.2 };
  const plain = objective(clip), withEntropy = objective({ ...clip, entropyCoefficient: 0.1 });
  const withKl = objective({ ...clip, beta: 0.5, klEstimator: "k2" });
  [0, 1].forEach((n) => {
    const row = LOGITS.slice(3 * n, 3 * n + 3), total = row.reduce((s, x) => s + Math.exp(x), 0);
    const entropy = -row.reduce((s, x) => s + Math.exp(x) / total * (x - Math.log(total)), 0);
    const d = row[IDS[n]!]! - Math.log(total) - [-2, -0.5][n]!;
    assertAlmostEquals(withEntropy[n]!, plain[n]! - 0.1 * entropy, 1e-12);
    assertAlmostEquals(withKl[n]!, plain[n]! + 0.25 * d * d, 1e-12);
  });
});

Deno.test("policyObjectivePerToken() takes the mean KL over two references, of the policy at the sampling temperature", () => {
  const clip = { clipLow: 0.2, clipHigh: 0.2, temperature: 0.5 }, references = [[-2, -0.5], [-1, -3]];
  const lossOf = (options: PolicyObjectiveOptions) =>
    Array.from(
      evaluate(
        (logits, ids, old, a, first, second) =>
          policyObjectivePerToken(
            { logits: logits!, ids: ids!, oldLogprobs: old!, advantages: a!, refLogprobs: [first!, second!] },
            options,
          ).loss,
        [
          f64([2, 3], LOGITS),
          i64([2], IDS),
          f64([2], [-1, -1]),
          f64([2], [2, -1]),
          ...references.map((r) => f64([2], r)),
        ],
      )[0]!.data,
      Number,
    );
  const plain = lossOf(clip), withKl = lossOf({ ...clip, beta: 0.5 });
  [0, 1].forEach((n) => {
    const row = LOGITS.slice(3 * n, 3 * n + 3).map((x) => x / 0.5);
    const logprob = row[IDS[n]!]! - Math.log(row.reduce((s, x) => s + Math.exp(x), 0));
    const k2 = references.map((r) => (logprob - r[n]!) ** 2 / 2);
    assertAlmostEquals(withKl[n]!, plain[n]! + 0.5 * (k2[0]! + k2[1]!) / 2, 1e-12);
  });
});

Deno.test("policyObjectivePerToken() weighs the clipped loss by the importance, not entropy and KL", () => {
  const options = { clipLow: 0.2, clipHigh: 0.2, entropyCoefficient: 0.1, beta: 0.5 };
  const lossOf = (weights: readonly number[], settings: PolicyObjectiveOptions) =>
    Array.from(
      evaluate(
        (logits, ids, old, a, ref, importance) =>
          policyObjectivePerToken({
            logits: logits!,
            ids: ids!,
            oldLogprobs: old!,
            advantages: a!,
            refLogprobs: [ref!],
            importance: importance!,
          }, settings).loss,
        [
          f64([2, 3], LOGITS),
          i64([2], IDS),
          ...[[-1, -1], [2, -1], [-2, -0.5], weights].map((x) => f64([2], [...x])),
        ],
      )[0]!.data,
      Number,
    );
  const clip = { clipLow: 0.2, clipHigh: 0.2 }, clipped = lossOf([1, 1], clip), all = lossOf([1, 1], options);
  const weighted = lossOf([0.5, 3], options);
  [0.5, 3].forEach((w, n) => assertAlmostEquals(weighted[n]!, all[n]! + (w - 1) * clipped[n]!, 1e-12));
});

Deno.test("policyObjectivePerToken() refuses negative coefficients and a KL without reference", () => {
  const clip = { clipLow: 0.2, clipHigh: 0.2 };
  assertThrows(
    () => objective({ ...clip, entropyCoefficient: -1 }),
    RangeError,
    "Coefficients of the policy objective must be at least 0, got entropyCoefficient -1, beta 0",
  );
  assertThrows(
    () =>
      evaluate(
        (logits, ids, x) =>
          policyObjectivePerToken({ logits: logits!, ids: ids!, oldLogprobs: x!, advantages: x! }, {
            ...clip,
            beta: 1,
          }).loss,
        [f64([2, 3], LOGITS), i64([2], IDS), f64([2], [0, 0])],
      ),
    RangeError,
    "The KL term requires log-probabilities of at least one reference model, got none",
  );
});
