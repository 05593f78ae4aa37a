/** The split by prompt: disjoint, stable, of the size asked for. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isValidation, splitPoint, usualShare } from "./split.ts";

Deno.test("splitPoint() is the hash of seed and prompt, and nothing else", () => {
  // printf '7\nOnce' | sha256sum | cut -c1-12
  assertEquals(splitPoint("Once", 7), 0x5e5b88674aa0 / 2 ** 48);
});

Deno.test("a larger validation_fraction holds back the same prompts and more", () => {
  const fraction = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.string(), fc.nat(), fraction, fraction, (prompt, seed, a, b) => {
      const [less, more] = a < b ? [a, b] : [b, a];
      assertEquals(isValidation(prompt, seed, less) && !isValidation(prompt, seed, more), false);
    }),
    { seed: 11 },
  );
});

Deno.test("isValidation() holds back about the share that is asked for, another one for every seed", () => {
  const prompts = Array.from({ length: 4000 }, (_, k) => `prompt ${k}`);
  const heldBack = (seed: number): string[] => prompts.filter((prompt) => isValidation(prompt, seed, 0.1));
  for (const seed of [0, 1]) {
    // 400 expected; 6 standard deviations of a binomial are 114
    assertEquals(Math.abs(heldBack(seed).length - 400) < 114, true);
  }
  const both = new Set(heldBack(0)).intersection(new Set(heldBack(1))).size;
  assertEquals(both < 100, true); // 40 expected if they are independent
});

Deno.test("a fraction of 0 holds nothing back", () => {
  fc.assert(fc.property(fc.string(), fc.nat(), (prompt, seed) => !isValidation(prompt, seed, 0)), {
    seed: 5,
  });
});

Deno.test("usualShare() is 0.05, or as much as holds one prompt back", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 40 }), fc.nat(), (prompts, seed) => {
      const share = usualShare(prompts, seed);
      const heldBack = prompts.filter((prompt) => isValidation(prompt, seed, share));
      const usual = prompts.filter((prompt) => isValidation(prompt, seed, 0.05));
      assertEquals(heldBack.length, Math.max(1, usual.length));
    }),
    { seed: 3 },
  );
});
