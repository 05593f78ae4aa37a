import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ShapeError } from "@/lib/compute/tensor/errors.ts";
import { COMBINATIONS, combineMembers } from "./bagged_reward.ts";

const logprob = fc.double({ min: -30, max: 0, noNaN: true });
const RUNS = { seed: 1 };

Deno.test("combineMembers() by hand: three members on two tokens", () => {
  const members = [[-1, -3], [-2, -3], [-6, -3]];
  assertEquals([...combineMembers(members, "mean")], [-3, -3]);
  assertEquals([...combineMembers(members, "min")], [-6, -3]);
  assertEquals([...combineMembers(members, "lcb")], [-3 - Math.sqrt(7), -3]); // variance with K − 1: (4 + 1 + 9)/2
});

Deno.test("combineMembers(): min and lcb are at most the mean, and the order of the members does not matter", () => {
  const members = fc.array(fc.tuple(logprob, logprob), { minLength: 2, maxLength: 5 });
  fc.assert(
    fc.property(members, (rows) => {
      const [mean, min, lcb] = COMBINATIONS.map((kind) => combineMembers(rows, kind));
      const reversed = combineMembers([...rows].reverse(), "mean");
      mean!.forEach((m, t) => {
        assert(min![t]! <= m + 1e-12 && lcb![t]! <= m + 1e-12);
        assertAlmostEquals(reversed[t]!, m, 1e-12);
      });
    }),
    RUNS,
  );
});

Deno.test("combineMembers() refuses members of other lengths, none, and one for lcb", () => {
  assertThrows(
    () => combineMembers([[-1], [-1, -2]], "mean"),
    ShapeError,
    "Lengths of member 0 and member 1 must be equal, got 1 (member 0), 2 (member 1)",
  );
  assertThrows(
    () => combineMembers([], "mean"),
    RangeError,
    "combine=mean requires at least 1 members, got 0",
  );
  assertThrows(
    () => combineMembers([[-1]], "lcb"),
    RangeError,
    "combine=lcb requires at least 2 members, got 1",
  );
});
