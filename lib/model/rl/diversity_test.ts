import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { distinctShare, repetition } from "./diversity.ts";

const ids = fc.array(fc.nat(3), { maxLength: 12 });

Deno.test("repetition() is 1 − distinct-n of the one text, between 0 and 1", () => {
  fc.assert(fc.property(ids, fc.integer({ min: 1, max: 4 }), (text, n) => {
    const found = repetition(text, n);
    assertEquals(found >= 0 && found < 1, true);
    if (text.length >= n) assertEquals(found, 1 - distinctShare([text], n));
  }));
});

Deno.test("distinctShare() never pairs across texts, and distinguishes words from their concatenation", () => {
  assertEquals(distinctShare([["a"], ["b"]], 2), 0);
  assertEquals(distinctShare([["a b", "c"], ["a", "b c"]], 2), 1);
  assertEquals(distinctShare([[1, 2], [1, 2], [2, 1]], 2), 2 / 3);
  assertEquals(distinctShare([], 1), 0);
});
