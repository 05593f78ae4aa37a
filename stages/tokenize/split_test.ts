/** The split by prompt: disjoint, stable, of the required size. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isValidation, splitPoint, sufficientFraction } from "./split.ts";

Deno.test("splitPoint() is the hash of seed and prompt", () => {
  // printf '7\nOnce' | sha256sum | cut -c1-12
  assertEquals(splitPoint("Once", 7), 0x5e5b88674aa0 / 2 ** 48);
});

Deno.test("a larger validation_fraction holds out the same prompts and more", () => {
  const fraction = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.string(), fc.nat(), fraction, fraction, (prompt, seed, a, b) => {
      const [less, more] = a < b ? [a, b] : [b, a];
      assertEquals(isValidation(prompt, seed, less) && !isValidation(prompt, seed, more), false);
    }),
    { seed: 11 },
  );
});

Deno.test("isValidation() holds out about the fraction, with other prompts for every seed", () => {
  const prompts = Array.from({ length: 4000 }, (_, k) => `prompt ${k}`);
  const heldOut = (seed: number): string[] => prompts.filter((prompt) => isValidation(prompt, seed, 0.1));
  for (const seed of [0, 1]) {
    // 400 expected; 6 standard deviations of a binomial are 114
    assertEquals(Math.abs(heldOut(seed).length - 400) < 114, true);
  }
  const both = new Set(heldOut(0)).intersection(new Set(heldOut(1))).size;
  assertEquals(both < 100, true); // 40 expected if they are independent
});

Deno.test("a fraction of 0 holds out nothing", () => {
  fc.assert(fc.property(fc.string(), fc.nat(), (prompt, seed) => !isValidation(prompt, seed, 0)), {
    seed: 5,
  });
});

Deno.test("sufficientFraction() is the fraction, or as much as holds out one prompt; 0 holds out none", () => {
  const prompts = fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(
      prompts,
      fc.nat(),
      fc.double({ min: 1e-12, max: 0.5, noNaN: true }),
      (prompts, seed, fraction) => {
        const sufficient = sufficientFraction(fraction, prompts, seed);
        const heldOut = prompts.filter((prompt) => isValidation(prompt, seed, sufficient));
        const usual = prompts.filter((prompt) => isValidation(prompt, seed, fraction));
        assertEquals(heldOut.length, Math.max(1, usual.length));
        assertEquals(sufficientFraction(0, prompts, seed), 0);
      },
    ),
    { seed: 3 },
  );
});
