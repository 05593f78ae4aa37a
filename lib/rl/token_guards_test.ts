/** What tokens earn under all guards, by hand and against the two guards that came first. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ShapeError } from "@/lib/tensor/errors.ts";
import { type TokenGuards, tokenRewards } from "./token_guards.ts";

const OFF: TokenGuards = { floor: null, floorBoth: null, tokenCap: null, eosBound: null };
const one = (target: number, base: number, isEos: number, guards: Partial<TokenGuards>, baseline = base) =>
  tokenRewards({ target: [target], base: [base], baseline: [baseline], isEos: [isEos] }, {
    ...OFF,
    ...guards,
  })[0];

Deno.test("tokenRewards() with floor and EOS bound alone is the bagged reward as written out, bit for bit", () => {
  const logprob = fc.double({ min: -30, max: 0, noNaN: true }),
    bound = fc.option(fc.double({ min: 0, max: 9, noNaN: true }));
  const token = fc.tuple(logprob, logprob, fc.integer({ min: 0, max: 1 }));
  fc.assert(
    fc.property(fc.array(token), fc.option(logprob), bound, (tokens, floor, eosBound) => {
      const [target, base, isEos] = [0, 1, 2].map((i) => tokens.map((own) => own[i]!)) as [
        number[],
        number[],
        number[],
      ];
      assertEquals(
        tokenRewards({ target, base, baseline: base, isEos }, { ...OFF, floor, eosBound }),
        Float64Array.from(tokens, ([m, b, end]) => {
          if (end === 1) return Math.min(Math.max(m - b, -(eosBound ?? Infinity)), eosBound ?? Infinity);
          return b > (floor ?? -Infinity) ? m - b : 0;
        }),
      );
    }),
    { seed: 3 },
  );
});

Deno.test("tokenRewards(): floorBoth takes the pay where base and members are both at or below it, EOS excepted", () => {
  const guards = { floorBoth: -6 };
  assertEquals([one(-6, -8, 0, guards), one(-8, -6, 0, guards)], [0, 0]);
  assertEquals([one(-5, -8, 0, guards), one(-8, -5, 0, guards)], [3, -3]);
  assertEquals(one(-7, -8, 1, guards), 1);
});

Deno.test("tokenRewards(): the cap holds on both sides, at EOS only without a bound of its own", () => {
  assertEquals([one(-1, -4, 0, { tokenCap: 2 }), one(-4, -1, 0, { tokenCap: 2 })], [2, -2]);
  assertEquals(one(-1, -27, 1, { tokenCap: 2 }), 2);
  assertEquals(one(-1, -27, 1, { tokenCap: 2, eosBound: 5 }), 5);
  assertEquals(one(-1, -27, 1, { tokenCap: 8, eosBound: 5 }), 5);
});

Deno.test("tokenRewards(): members are held against the baseline, floors look at the base", () => {
  assertEquals(one(-1, -5, 0, { floor: -6 }, -3), 2);
  assertEquals(one(-1, -7, 0, { floor: -6 }, -3), 0);
  assertEquals(one(-7, -7, 0, { floorBoth: -6 }, -3), 0);
  assertEquals(one(-1, -7, 1, { floor: -6, eosBound: 1 }, -3), 1);
});

Deno.test("tokenRewards() refuses negative bounds and rows of other lengths", () => {
  assertEquals(
    assertThrows(() => one(-1, -2, 0, { tokenCap: -1 }), RangeError).message,
    "Cannot bound what tokens earn as bounds must be at least 0: tokenCap is -1, eosBound null",
  );
  assertThrows(
    () => tokenRewards({ target: [-1], base: [-1, -2], baseline: [-1], isEos: [0] }, OFF),
    ShapeError,
  );
});
