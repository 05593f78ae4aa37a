import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ShapeError } from "@/lib/tensor/errors.ts";
import { COMBINATIONS, combineMembers, guardedRewards } from "./bagged_reward.ts";

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
    "Cannot pair member 0 and member 1 as their lengths must be equal: member 0 has 1, member 1 has 2",
  );
  assertThrows(
    () => combineMembers([], "mean"),
    RangeError,
    'Cannot combine reward members by "mean" as it needs at least 1: there are 0',
  );
  assertThrows(
    () => combineMembers([[-1]], "lcb"),
    RangeError,
    'Cannot combine reward members by "lcb" as it needs at least 2: there are 1',
  );
});

Deno.test("guardedRewards(): at the floor itself a token earns nothing, just above it does, EOS always", () => {
  const inputs = { targetLogprobs: [-1, -1, -1], baseLogprobs: [-6, -5.999, -6], isEos: [0, 0, 1] };
  assertEquals([...guardedRewards(inputs, { floor: -6, eosBound: null })], [0, 4.999, 5]);
});

Deno.test("guardedRewards(): EOS is bounded on both sides, other tokens are not", () => {
  const guards = { floor: null, eosBound: 2 };
  const at = (target: number, base: number, eos: number) =>
    guardedRewards({ targetLogprobs: [target], baseLogprobs: [base], isEos: [eos] }, guards)[0];
  assertEquals([at(-1, -27, 1), at(-27, -1, 1), at(-1, -2, 1)], [2, -2, 1]);
  assertEquals([at(-1, -27, 0), at(-27, -1, 0)], [26, -26]);
});

Deno.test("guardedRewards(): each token's reward depends on that token alone", () => {
  const token = fc.record({ target: logprob, base: logprob, eos: fc.boolean() });
  const guards = { floor: -6, eosBound: 5 };
  const run = (rows: readonly { target: number; base: number; eos: boolean }[]) =>
    guardedRewards({
      targetLogprobs: rows.map((r) => r.target),
      baseLogprobs: rows.map((r) => r.base),
      isEos: rows.map((r) => Number(r.eos)),
    }, guards);
  fc.assert(
    fc.property(fc.array(token, { maxLength: 8 }), (rows) => {
      assertEquals([...run(rows)], rows.flatMap((row) => [...run([row])]));
    }),
    RUNS,
  );
});

Deno.test("guardedRewards() refuses a negative bound", () => {
  assertThrows(
    () => guardedRewards({ targetLogprobs: [], baseLogprobs: [], isEos: [] }, { floor: null, eosBound: -1 }),
    RangeError,
    "Cannot bound the reward of EOS as the bound must be at least 0: -1",
  );
});
