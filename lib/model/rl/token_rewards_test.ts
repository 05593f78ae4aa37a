/** The reward of tokens under all guards, by hand. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ShapeError } from "@/lib/compute/tensor/errors.ts";
import { type TokenGuards, tokenRewards } from "./token_rewards.ts";
import { NO_GUARDS } from "@/tests/support/no_guards.ts";

const one = (target: number, base: number, isEos: number, guards: Partial<TokenGuards>, baseline = base) =>
  tokenRewards({ target: [target], base: [base], baseline: [baseline], isEos: [isEos] }, {
    ...NO_GUARDS,
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
        tokenRewards({ target, base, baseline: base, isEos }, { ...NO_GUARDS, floor, eosBound }),
        Float64Array.from(tokens, ([m, b, end]) => {
          if (end === 1) return Math.min(Math.max(m - b, -(eosBound ?? Infinity)), eosBound ?? Infinity);
          return b > (floor ?? -Infinity) ? m - b : 0;
        }),
      );
    }),
    { seed: 3 },
  );
});

Deno.test("tokenRewards(): with floorBoth the reward is 0 where base and target are both at or below it, EOS excepted", () => {
  const guards = { floorBoth: -6 };
  assertEquals([one(-6, -8, 0, guards), one(-8, -6, 0, guards)], [0, 0]);
  assertEquals([one(-5, -8, 0, guards), one(-8, -5, 0, guards)], [3, -3]);
  assertEquals(one(-7, -8, 1, guards), 1);
});

Deno.test("tokenRewards(): tokenCap clips on both sides, at EOS only without an eosBound", () => {
  assertEquals([one(-1, -4, 0, { tokenCap: 2 }), one(-4, -1, 0, { tokenCap: 2 })], [2, -2]);
  assertEquals(one(-1, -27, 1, { tokenCap: 2 }), 2);
  assertEquals(one(-1, -27, 1, { tokenCap: 2, eosBound: 5 }), 5);
  assertEquals(one(-1, -27, 1, { tokenCap: 8, eosBound: 5 }), 5);
});

Deno.test("tokenRewards(): baseWeight weighs the guarded ratio against the target, by hand", () => {
  const guards = { floor: -6, tokenCap: 2, eosBound: 5 };
  // ratio 1: 0.75 · 1 + 0.25 · −2 = 0.25
  assertEquals(one(-2, -3, 0, { ...guards, baseWeight: 0.75 }), 0.25);
  // capped: 0.75 · 2 + 0.25 · −1 · floored: 0.75 · 0 + 0.25 · −2 · EOS: 0.75 · 5 + 0.25 · −1
  assertEquals(one(-1, -5, 0, { ...guards, baseWeight: 0.75 }), 1.25);
  assertEquals(one(-2, -7, 0, { ...guards, baseWeight: 0.75 }), -0.5);
  assertEquals(one(-1, -27, 1, { ...guards, baseWeight: 0.75 }), 3.5);
  // without guards: target − w · base
  assertEquals(one(-2, -4, 0, { baseWeight: 0.5 }), 0);
  assertEquals([one(-2, -7, 0, { ...guards, baseWeight: 0 }), one(-2, -7, 1, { ...guards, baseWeight: 0 })], [
    -2,
    -2,
  ]);
});

Deno.test("tokenRewards(): baseWeight 1 changes no bit, also where a log-probability is −Infinity", () => {
  const logprob = fc.double({ min: -30, max: 0, noNaN: true });
  fc.assert(
    fc.property(logprob, logprob, fc.integer({ min: 0, max: 1 }), (m, b, end) => {
      const guards = { floor: -4, tokenCap: 1, eosBound: 10 };
      assertEquals(one(m, b, end, { ...guards, baseWeight: 1 }), one(m, b, end, guards));
    }),
    { seed: 5 },
  );
  assertEquals(one(-Infinity, -1, 0, { baseWeight: 1 }), -Infinity);
  assertThrows(
    () => one(-1, -1, 0, { baseWeight: 1.5 }),
    RangeError,
    "baseWeight must be within 0 and 1, got 1.5",
  );
});

Deno.test("tokenRewards(): the baseline is subtracted, floors apply to the base", () => {
  assertEquals(one(-1, -5, 0, { floor: -6 }, -3), 2);
  assertEquals(one(-1, -7, 0, { floor: -6 }, -3), 0);
  assertEquals(one(-7, -7, 0, { floorBoth: -6 }, -3), 0);
  assertEquals(one(-1, -7, 1, { floor: -6, eosBound: 1 }, -3), 1);
});

Deno.test("tokenRewards(): at the floor itself a token has reward 0, just above it does not, EOS never", () => {
  const base = [-6, -5.999, -6], isEos = [0, 0, 1];
  const rewards = tokenRewards({ target: [-1, -1, -1], base, baseline: base, isEos }, {
    ...NO_GUARDS,
    floor: -6,
  });
  assertEquals([...rewards], [0, 4.999, 5]);
});

Deno.test("tokenRewards(): a floor that keeps penalties removes gains only", () => {
  const keep = { floor: -6, floorPenalties: "keep" } as const;
  assertEquals([one(-1, -7, 0, keep), one(-9, -7, 0, keep), one(-9, -6, 0, keep)], [0, -2, -3]);
  assertEquals([one(-9, -7, 0, { floor: -6 }), one(-9, -7, 0, { ...keep, floorPenalties: "drop" })], [0, 0]);
  assertEquals([one(-1, -5, 0, keep), one(-9, -5, 0, keep)], [4, -4], "above the floor nothing changes");
  assertEquals(one(-20, -7, 0, { ...keep, tokenCap: 1 }), -1);
  assertEquals(
    one(-9, -7, 0, { ...keep, floorBoth: -6.5 }),
    0,
    "floorBoth removes the penalty of its tokens",
  );
  assertEquals([one(-1, -7, 1, keep), one(-9, -7, 1, keep)], [6, -2], "EOS has no floor");
  assertEquals(
    [one(-9, -7, 0, keep, -8), one(-9, -7, 0, keep, -10)],
    [-1, 0],
    "penalties are against the baseline",
  );
});

Deno.test("tokenRewards(): eosBound clips EOS on both sides, and no other token", () => {
  const at = (target: number, base: number, isEos: number) => one(target, base, isEos, { eosBound: 2 });
  assertEquals([at(-1, -27, 1), at(-27, -1, 1), at(-1, -2, 1)], [2, -2, 1]);
  assertEquals([at(-1, -27, 0), at(-27, -1, 0)], [26, -26]);
});

Deno.test("tokenRewards(): each token's reward depends on that token alone", () => {
  const logprob = fc.double({ min: -30, max: 0, noNaN: true });
  const token = fc.record({ target: logprob, base: logprob, eos: fc.boolean() });
  const guards = { ...NO_GUARDS, floor: -6, eosBound: 5 };
  const run = (rows: readonly { target: number; base: number; eos: boolean }[]) => {
    const base = rows.map((row) => row.base), isEos = rows.map((row) => Number(row.eos));
    return [
      ...tokenRewards({ target: rows.map(({ target }) => target), base, baseline: base, isEos }, guards),
    ];
  };
  fc.assert(
    fc.property(fc.array(token, { maxLength: 8 }), (rows) => {
      assertEquals(run(rows), rows.flatMap((row) => run([row])));
    }),
    { seed: 1 },
  );
});

Deno.test("tokenRewards() refuses negative bounds and rows of other lengths", () => {
  assertEquals(
    assertThrows(() => one(-1, -2, 0, { tokenCap: -1 }), RangeError).message,
    "tokenCap and eosBound must be at least 0, got -1 and null",
  );
  assertThrows(
    () => tokenRewards({ target: [-1], base: [-1, -2], baseline: [-1], isEos: [0] }, NO_GUARDS),
    ShapeError,
  );
});
