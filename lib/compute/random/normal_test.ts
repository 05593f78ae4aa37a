import { assert, assertEquals, assertThrows } from "@std/assert";
import { fillNormal, normal } from "./normal.ts";
import { makeKey } from "./uniform.ts";

Deno.test("normal() has mean 0, variance 1, no skew, kurtosis 3, and independent neighbours", () => {
  const n = 100_000, key = makeKey(2, "weights");
  const power = [0, 0, 0, 0];
  let pairs = 0;
  for (let i = 0; i < n; i++) {
    const x = normal(key, i);
    for (let k = 0; k < 4; k++) power[k]! += x ** (k + 1) / n;
    if (i % 2 === 1) pairs += x * normal(key, i - 1);
  }
  const [m1, m2, m3, m4] = power as [number, number, number, number];
  // five standard errors of each moment: variances of x, x², x³, x⁴ are 1, 2, 15, 96
  assert(Math.abs(m1) < 5 * Math.sqrt(1 / n));
  assert(Math.abs(m2 - 1) < 5 * Math.sqrt(2 / n));
  assert(Math.abs(m3) < 5 * Math.sqrt(15 / n));
  assert(Math.abs(m4 - 3) < 5 * Math.sqrt(96 / n));
  assert(Math.abs(pairs / (n / 2)) < 5 / Math.sqrt(n / 2));
});

Deno.test("fillNormal() is std · normal()", () => {
  const out = new Float64Array(5), key = makeKey(2, "fill");
  fillNormal(out, key, { std: 0.02 });
  assertEquals([...out], Array.from({ length: 5 }, (_, i) => 0.02 * normal(key, i)));
  assertThrows(
    () => fillNormal(out, key, { std: -1 }),
    RangeError,
    "The standard deviation must be finite and at least 0, got -1",
  );
});
