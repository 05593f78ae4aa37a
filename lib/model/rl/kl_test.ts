import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { KL_ESTIMATORS, klEstimates } from "./kl.ts";

/** Two distributions over five tokens and their KL divergence, by the sum that defines it. */
const P = [0.4, 0.3, 0.15, 0.1, 0.05], Q = [0.1, 0.25, 0.3, 0.05, 0.3];
const LOG_P = P.map(Math.log), LOG_Q = Q.map(Math.log);
const KL = P.reduce((sum, p, i) => sum + p * Math.log(p / Q[i]!), 0);

function expectation(kind: typeof KL_ESTIMATORS[number]): number {
  return klEstimates(kind, LOG_P, LOG_Q).reduce((sum, x, i) => sum + P[i]! * x, 0);
}

Deno.test("klEstimates(): k1 and k3 are unbiased, k2 is not (statement 46)", () => {
  assertAlmostEquals(expectation("k1"), KL, 1e-12);
  assertAlmostEquals(expectation("k3"), KL, 1e-12);
  assert(Math.abs(expectation("k2") - KL) > 0.01);
});

Deno.test("klEstimates(): k3 and k2 are never negative, k1 is for some token (statement 46)", () => {
  const logprob = fc.double({ min: -30, max: 0, noNaN: true });
  fc.assert(
    fc.property(logprob, logprob, (a, b) => {
      const [k3] = klEstimates("k3", [a], [b]), [k2] = klEstimates("k2", [a], [b]);
      assert(k3! >= 0 && k2! >= 0);
      assertEquals(klEstimates("k1", [a], [b])[0], a - b);
    }),
    { seed: 1 },
  );
  assert(klEstimates("k1", LOG_P, LOG_Q).some((x) => x < 0));
});

Deno.test("klEstimates() of a policy to itself is exactly 0", () => {
  for (const kind of KL_ESTIMATORS) assertEquals([...klEstimates(kind, LOG_P, LOG_P)], [0, 0, 0, 0, 0]);
});

Deno.test("klEstimates(): k3 keeps its digits for differences of 1e-9", () => {
  const [k3] = klEstimates("k3", [-1 + 1e-6], [-1]);
  assertAlmostEquals(k3! / (1e-12 / 2), 1, 1e-3);
});

Deno.test("klEstimates() with bounds clips the log-ratio at 20 and the estimate at 10 (statement 48)", () => {
  const bounds = { logRatio: 20, estimate: 10 };
  // without bounds e^{999} overflows
  assertEquals([...klEstimates("k3", [-1000], [-1])], [Infinity]);
  assertEquals([...klEstimates("k3", [-1000, -1, -2], [-1, -1000, -1], { bounds })], [
    10,
    10,
    Math.expm1(1) - 1,
  ]);
  assertEquals([...klEstimates("k1", [-1, -1000], [-1000, -1], { bounds })], [10, -10]);
});
