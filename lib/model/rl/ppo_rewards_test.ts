import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { adaptiveKl } from "./adaptive_kl.ts";
import { ShapeError } from "@/lib/compute/tensor/errors.ts";
import { ppoRewards } from "./ppo_rewards.ts";
import { residualPrefix } from "./residual_critic.ts";
import { scaleReward } from "./reward_scale.ts";

Deno.test("ppoRewards() gives the penalty at every token and the reward at the last (statement 21)", () => {
  assertEquals([...ppoRewards([0.5, -1], { beta: 2, reward: 7 })], [-1, 9]);
  assertEquals([...ppoRewards([0.5, -1], { beta: 2 })], [-1, 2]);
  assertThrows(
    () => ppoRewards([], { beta: 1 }),
    RangeError,
    "A response must have at least one token, got none",
  );
});

Deno.test("centring and scaling with beta/scale leave reward − beta·KL in order, up to a shift and a factor", () => {
  const fitted = { centre: 3, scale: 4 }, beta = 0.7;
  const total = (raw: number, kl: number[]) =>
    ppoRewards(kl, { beta: beta / fitted.scale, reward: scaleReward(raw, fitted) }).reduce((a, b) => a + b);
  for (const [raw, kl] of [[5, [1, 2]], [-1, [0.5, -0.5]], [9, [4]]] as [number, number[]][]) {
    const objective = raw - beta * kl.reduce((a, b) => a + b);
    assertAlmostEquals(total(raw, kl), (objective - 3) / 4, 1e-12);
  }
});

Deno.test("residualPrefix() starts at 0 and does not include the last token's reward", () => {
  assertEquals([...residualPrefix([2, -1, 100], 2)], [0, 1, 0.5]);
  assertEquals([...residualPrefix([])], []);
  assertThrows(
    () => residualPrefix([1], 0),
    RangeError,
    "The scale of the residual prefix must be positive and finite, got 0",
  );
});

Deno.test("adaptiveKl() stays at the target, moves towards it, and by at most 0.2·n/horizon (statement 30)", () => {
  const options = { target: 6, horizon: 1000, steps: 100 };
  assertEquals(adaptiveKl(0.1, 6, options), 0.1);
  assertAlmostEquals(adaptiveKl(0.1, 6.6, options), 0.1 * 1.01, 1e-15);
  assertAlmostEquals(adaptiveKl(0.1, 1e9, options), 0.1 * 1.02, 1e-15);
  assertAlmostEquals(adaptiveKl(0.1, -5, options), 0.1 * 0.98, 1e-15);
  assertThrows(
    () => adaptiveKl(0.1, NaN, { target: 0, horizon: 1, steps: 1 }),
    RangeError,
    "Adaptive beta requires a positive target and horizon and a finite KL, got target 0, horizon 1, KL NaN",
  );
});

Deno.test("ppoRewards() with rewards per token has the same sum as with the reward at the end, whatever was centred or clipped", () => {
  const tokens = fc.array(
    fc.record({
      kl: fc.double({ min: -2, max: 2, noNaN: true }),
      r: fc.double({ min: -5, max: 5, noNaN: true }),
    }),
    { minLength: 1, maxLength: 9 },
  );
  fc.assert(fc.property(tokens, fc.double({ min: -9, max: 9, noNaN: true }), (all, reward) => {
    const kl = all.map((x) => x.kl),
      perToken = all.map((x) => x.r),
      sum = (x: Float64Array) => x.reduce((a, b) => a + b);
    const dense = ppoRewards(kl, { beta: 0.5, reward, perToken }),
      end = ppoRewards(kl, { beta: 0.5, reward });
    assertAlmostEquals(sum(dense), sum(end), 1e-9);
    dense.slice(0, -1).forEach((x, t) => assertAlmostEquals(x, perToken[t]! - 0.5 * kl[t]!, 1e-12));
  }));
  assertThrows(() => ppoRewards([0, 0], { beta: 0, perToken: [1] }), ShapeError);
});
