import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { adaptiveKl } from "./adaptive_kl.ts";
import { ShapeError } from "@/lib/tensor/errors.ts";
import { moments, sampleDeviation } from "./moments.ts";
import { fitRewardScale, ppoRewards, scaleReward } from "./ppo_rewards.ts";
import { residualPrefix } from "./residual_critic.ts";

Deno.test("fitRewardScale() makes the fitted batch mean 0 and deviation 1 (statement 23)", () => {
  const rewards = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 2, maxLength: 20 });
  fc.assert(
    fc.property(rewards, (raw) => {
      fc.pre(sampleDeviation(raw) > 1e-2);
      const fitted = fitRewardScale(raw), scaled = raw.map((r) => scaleReward(r, fitted));
      assertAlmostEquals(moments([scaled]).mean, 0, 1e-9);
      assertAlmostEquals(sampleDeviation(scaled), 1, 1e-9);
    }),
    { seed: 1 },
  );
});

Deno.test("fitRewardScale() centres only where there is no spread, and names rewards that are no numbers", () => {
  assertEquals(fitRewardScale([0.1, 0.1, 0.1]), { centre: 0.1, scale: 1 });
  assertEquals(fitRewardScale([4]), { centre: 4, scale: 1 });
  assertThrows(
    () => fitRewardScale([1, NaN, Infinity]),
    RangeError,
    "Cannot fit the reward's scale as it needs at least one finite reward and no other: response 1 has NaN, response 2 has Infinity",
  );
  assertThrows(
    () => fitRewardScale([]),
    RangeError,
    "Cannot fit the reward's scale as it needs at least one finite reward and no other: there is none",
  );
});

Deno.test("scaleReward() clips after scaling (statement 39)", () => {
  const fitted = { centre: 1, scale: 0.5 };
  assertEquals([3, 20, -20].map((r) => scaleReward(r, fitted, 10)), [4, 10, -10]);
});

Deno.test("ppoRewards() pays the penalty at every token and the reward at the last (statement 21)", () => {
  assertEquals([...ppoRewards([0.5, -1], { beta: 2, reward: 7 })], [-1, 9]);
  assertEquals([...ppoRewards([0.5, -1], { beta: 2 })], [-1, 2]);
  assertThrows(
    () => ppoRewards([], { beta: 1 }),
    RangeError,
    "Cannot pay a reward as a response must have a token: it has 0",
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

Deno.test("residualPrefix() starts at 0 and does not hold the last token's reward", () => {
  assertEquals([...residualPrefix([2, -1, 100], 2)], [0, 1, 0.5]);
  assertEquals([...residualPrefix([])], []);
  assertThrows(
    () => residualPrefix([1], 0),
    RangeError,
    "Cannot scale the residual prefix as the scale must be positive and finite: 0",
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
    "Cannot adapt the KL coefficient as target and horizon must be positive and the KL finite: target is 0, horizon is 1, KL is NaN",
  );
});

Deno.test("ppoRewards() with rewards as they fall pays the same in all as at the end, whatever was centred or clipped", () => {
  const tokens = fc.array(
    fc.record({
      kl: fc.double({ min: -2, max: 2, noNaN: true }),
      r: fc.double({ min: -5, max: 5, noNaN: true }),
    }),
    { minLength: 1, maxLength: 9 },
  );
  fc.assert(fc.property(tokens, fc.double({ min: -9, max: 9, noNaN: true }), (all, reward) => {
    const kl = all.map((x) => x.kl),
      earned = all.map((x) => x.r),
      sum = (x: Float64Array) => x.reduce((a, b) => a + b);
    const dense = ppoRewards(kl, { beta: 0.5, reward, earned }), end = ppoRewards(kl, { beta: 0.5, reward });
    assertAlmostEquals(sum(dense), sum(end), 1e-9);
    dense.slice(0, -1).forEach((x, t) => assertAlmostEquals(x, earned[t]! - 0.5 * kl[t]!, 1e-12));
  }));
  assertThrows(() => ppoRewards([0, 0], { beta: 0, earned: [1] }), ShapeError);
});
