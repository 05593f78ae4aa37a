import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { fitRewardScale } from "./ppo_rewards.ts";
import { mergeMoments, NO_MOMENTS, runningScale } from "./running_moments.ts";

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
