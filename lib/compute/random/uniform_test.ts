import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { makeKey, toUnit, uniform } from "./uniform.ts";

Deno.test("uniform() has the moments and the histogram of U[0, 1)", () => {
  const key = makeKey(1, "test");
  const n = 200_000, bins = new Float64Array(64);
  let sum = 0, squares = 0, lagged = 0, last = 0.5;
  for (let i = 0; i < n; i++) {
    const u = uniform(key, i);
    assert(u >= 0 && u < 1);
    bins[Math.floor(u * 64)]!++;
    sum += u;
    squares += u * u;
    lagged += (u - 0.5) * (last - 0.5);
    last = u;
  }
  // five standard errors each: 1/√12, √(4/45) and 1/12, over √n
  assert(Math.abs(sum / n - 1 / 2) < 5 * Math.sqrt(1 / 12 / n));
  assert(Math.abs(squares / n - 1 / 3) < 5 * Math.sqrt(4 / 45 / n));
  assert(Math.abs(lagged / n) < 5 / 12 / Math.sqrt(n));
  const chi = bins.reduce((s, count) => s + (count - n / 64) ** 2 / (n / 64), 0);
  assert(chi > 63 - 5 * Math.sqrt(126) && chi < 63 + 5 * Math.sqrt(126), `χ² of 63 degrees is ${chi}`);
});

Deno.test("uniform() depends on key and counter, not on the order of calls", () => {
  const a = makeKey(3, "rollout", "p1/0"), b = makeKey(3, "rollout", "p1/1");
  const forward = Array.from({ length: 20 }, (_, i) => uniform(a, i));
  const backward = Array.from({ length: 20 }, (_, i) => (uniform(b, i), uniform(a, 19 - i))).reverse();
  assertEquals(forward, backward);
  assertNotEquals(uniform(a, 0), uniform(b, 0));
});

Deno.test("uniform() tells counters apart that differ above the 32nd bit", () => {
  const key = makeKey(3, "far");
  const seen = new Set([0, 2 ** 32, 2 ** 33, 2 ** 52, 2 ** 52 + 2 ** 32].map((c) => uniform(key, c)));
  assertEquals(seen.size, 5);
});

Deno.test("makeKey() is bytes 6 to 13 of SHA-256 of the JSON text", () => {
  // printf '[7,"sft",0]' | sha256sum
  assertEquals(makeKey(7, "sft", 0), { k0: 0xf6f9e9df, k1: 0x5ab75467 });
});

Deno.test("makeKey() keeps borders and types of labels apart", () => {
  const keys = [
    makeKey(1),
    makeKey(1, "a", "b"),
    makeKey(1, "ab"),
    makeKey(1, "a,b"),
    makeKey(1, 1),
    makeKey(1, "1"),
    makeKey(11),
    makeKey(1, "b", "a"),
  ];
  assertEquals(new Set(keys.map(({ k0, k1 }) => `${k0} ${k1}`)).size, keys.length);
});

Deno.test("makeKey() rejects numbers that are not safe integers", () => {
  assertThrows(() => makeKey(-1), RangeError, "The seed must be a non-negative safe integer, got -1");
  assertThrows(
    () => makeKey(1, "a", NaN, 0.5),
    RangeError,
    "Numeric labels of a random stream must be safe integers, got NaN, 0.5",
  );
});

Deno.test("toUnit() reaches 0 and 1 − 2⁻⁵³ and no further", () => {
  assertEquals(toUnit(0, 0), 0);
  assertEquals(toUnit(0xffffffff, 0xffffffff), 1 - 2 ** -53);
  assertEquals(toUnit(0x80000000, 0), 0.5);
});
