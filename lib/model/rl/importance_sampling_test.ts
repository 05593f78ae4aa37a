import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { logprobGap, truncatedImportance } from "./importance_sampling.ts";

const nats = fc.double({ min: -9, max: 0, noNaN: true });

Deno.test("logprobGap() of equal log-probabilities is 0, and the worst row is named", () => {
  fc.assert(fc.property(fc.array(fc.tuple(nats, nats), { minLength: 1, maxLength: 9 }), (tokens) => {
    const policy = [tokens.map(([p]) => p)], sampler = [tokens.map(([, q]) => q)];
    assertEquals(logprobGap(policy, policy), { meanProbability: 0, maxProbability: 0, worstRow: 0 });
    const gap = logprobGap(policy, sampler);
    assertEquals(gap.meanProbability <= gap.maxProbability, true);
  }));
  const gap = logprobGap([[Math.log(0.5)], [Math.log(0.25), Math.log(0.5)]], [[Math.log(0.5)], [
    Math.log(0.5),
    Math.log(0.5),
  ]]);
  assertEquals(gap.worstRow, 1);
  assertAlmostEquals(gap.maxProbability, 0.25, 1e-12);
  assertAlmostEquals(gap.meanProbability, 0.25 / 3, 1e-12);
});

Deno.test("truncatedImportance(): under a high cap the sampler's mean becomes the policy's", () => {
  const policy = [0.1, 0.6, 0.3], sampler = [0.3, 0.3, 0.4], value = [5, -1, 2];
  const [w] = truncatedImportance([policy.map(Math.log)], [sampler.map(Math.log)], 1e9);
  const found = sampler.reduce((sum, q, v) => sum + q * w![v]! * value[v]!, 0);
  assertAlmostEquals(found, policy.reduce((sum, p, v) => sum + p * value[v]!, 0), 1e-12);
  const [capped] = truncatedImportance([policy.map(Math.log)], [sampler.map(Math.log)], 1.5);
  assertAlmostEquals(capped![1]!, 1.5, 1e-12);
  assertAlmostEquals(capped![0]!, 1 / 3, 1e-12);
});

Deno.test("truncatedImportance() stays finite for impossible tokens and refuses a cap of 0", () => {
  const [w] = truncatedImportance([[-1, -2000]], [[-2000, -1]], Infinity);
  assertAlmostEquals(w![0]!, Math.exp(20), 1);
  assertAlmostEquals(w![1]!, Math.exp(-20), 1e-12);
  assertThrows(
    () => truncatedImportance([[0]], [[0]], 0),
    RangeError,
    "The cap of importance weights must be positive, got 0",
  );
});
