import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { moments, sampleDeviation } from "./moments.ts";
import { fitRewardScale, mergeMoments, NO_MOMENTS, runningScale, scaleReward } from "./reward_scale.ts";

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

Deno.test("fitRewardScale() has scale 1 for equal rewards, and names rewards that are not finite", () => {
  assertEquals(fitRewardScale([0.1, 0.1, 0.1]), { centre: 0.1, scale: 1 });
  assertEquals(fitRewardScale([4]), { centre: 4, scale: 1 });
  assertThrows(
    () => fitRewardScale([1, NaN, Infinity]),
    RangeError,
    "The reward scale requires at least one reward, all finite, got NaN in response 1, Infinity in response 2",
  );
  assertThrows(
    () => fitRewardScale([]),
    RangeError,
    "The reward scale requires at least one reward, all finite, got none",
  );
});

Deno.test("scaleReward() clips after scaling (statement 39)", () => {
  const fitted = { centre: 1, scale: 0.5 };
  assertEquals([3, 20, -20].map((r) => scaleReward(r, fitted, 10)), [4, 10, -10]);
});

Deno.test("mergeMoments() batch by batch gives the centre and scale of all rewards at once", () => {
  const batches = fc.array(
    fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 6 }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(fc.property(batches, (all) => {
    const found = runningScale(all.reduce(mergeMoments, NO_MOMENTS)), expected = fitRewardScale(all.flat());
    assertAlmostEquals(found.centre, expected.centre, 1e-9);
    // Equal rewards have a deviation of 0, which rounding may miss by a hair.
    if (expected.scale > 1e-3 && expected.scale !== 1) {
      assertAlmostEquals(found.scale, expected.scale, 1e-6);
    }
  }));
});

Deno.test("runningScale() of one reward, or of equal ones, centres only", () => {
  assertEquals(runningScale(mergeMoments(NO_MOMENTS, [7])), { centre: 7, scale: 1 });
  assertEquals(runningScale(mergeMoments(mergeMoments(NO_MOMENTS, [2, 2]), [2])), { centre: 2, scale: 1 });
  assertEquals(mergeMoments(NO_MOMENTS, []), NO_MOMENTS);
});
