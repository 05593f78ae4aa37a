/** Figures within groups, by hand. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { agreementWithin, correlationWithin, reliabilityOfMean, shareOfSpread } from "./within_groups.ts";

const GROUPS = [0, 0, 1, 1];

Deno.test("correlationWithin() by hand, and null where nothing varies within a group", () => {
  // centred: [−1, 1, −2, 2] and [−1, 1, 1, −1]: Σab = 2 − 4 = −2, over √(10 · 4)
  assertAlmostEquals(correlationWithin([0, 2, 7, 11], [5, 7, 2, 0], GROUPS)!, -2 / Math.sqrt(40), 1e-12);
  assertEquals(correlationWithin([1, 1, 9, 9], [1, 2, 3, 4], GROUPS), null);
});

Deno.test("agreementWithin() is the mean over pairs, of those that are defined", () => {
  const a = [0, 1, 0, 1], same = [5, 6, 9, 10], opposite = [1, 0, 1, 0], constant = [3, 3, 4, 4];
  assertAlmostEquals(agreementWithin([a, same, opposite], GROUPS)!, (1 - 1 - 1) / 3, 1e-12);
  assertAlmostEquals(agreementWithin([a, same, constant], GROUPS)!, 1, 1e-12);
  assertEquals([agreementWithin([a], GROUPS), agreementWithin([a, constant], GROUPS)], [null, null]);
});

Deno.test("reliabilityOfMean() grows with judges, is the agreement for one, and 0 where they contradict each other", () => {
  assertEquals([reliabilityOfMean(0.5, 1), reliabilityOfMean(0.5, 2), reliabilityOfMean(-0.3, 4)], [
    0.5,
    2 / 3,
    0,
  ]);
  assertEquals(reliabilityOfMean(1, 7), 1);
});

Deno.test("shareOfSpread() by hand; the shares of parts that add up to the whole add up to 1", () => {
  const end = [0, 4, 1, 1], body = [1, 1, 0, 2], whole = end.map((x, i) => x + body[i]!);
  // centred: end [−2, 2, 0, 0], whole [−2, 2, −1, 1]: 8/10
  assertAlmostEquals(shareOfSpread(end, whole, GROUPS)!, 0.8, 1e-12);
  assertAlmostEquals(shareOfSpread(end, whole, GROUPS)! + shareOfSpread(body, whole, GROUPS)!, 1, 1e-12);
  assertEquals(shareOfSpread([1, 2, 3, 4], [1, 1, 2, 2], GROUPS), null);
});
