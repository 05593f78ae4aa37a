import { assertEquals } from "@std/assert";
import { widenInto } from "./widen.ts";

/** Every 16-bit pattern. */
const PATTERNS = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** The value of a pattern with a sign bit, exponent and fraction, by the definition of IEEE 754. */
function valueOf(pattern: number, exponentBits: number): number {
  const fractionBits = 15 - exponentBits;
  const sign = pattern >> 15 ? -1 : 1;
  const exponent = (pattern >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (pattern & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

for (const [dtype, exponentBits] of [["f16", 5], ["bf16", 8]] as const) {
  Deno.test(`widenInto() gives the exact value of all 65536 patterns of ${dtype}`, () => {
    const out = new Float32Array(65536);
    widenInto(dtype, new Uint8Array(PATTERNS.buffer), out);
    assertEquals(Array.from(out), Array.from(PATTERNS, (pattern) => valueOf(pattern, exponentBits)));
  });
}

Deno.test("widenInto() rounds f64 to the nearest f32 and leaves f32 as it is", () => {
  const doubles = Float64Array.of(0.1, -1e300, 2 ** -149, 1 + 2 ** -24);
  const out = new Float32Array(4);
  widenInto("f64", new Uint8Array(doubles.buffer), out);
  assertEquals(Array.from(out), [Math.fround(0.1), -Infinity, 2 ** -149, 1]);
  widenInto("f32", new Uint8Array(Float32Array.of(1, 2, 3, -0).buffer), out);
  assertEquals(Array.from(out), [1, 2, 3, -0]);
});
