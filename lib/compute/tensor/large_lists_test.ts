import { assertEquals } from "@std/assert";
import { append, largest, smallest } from "./large_lists.ts";

Deno.test("largest and smallest of a million values, which Math.max cannot take as arguments", () => {
  const values = Array.from({ length: 1_000_000 }, (_, i) => (i * 7919) % 1_000_003);
  assertEquals(largest(values), values.toSorted((a, b) => b - a)[0]);
  assertEquals(smallest(values), 0);
});

Deno.test("largest and smallest equal Math.max and Math.min", () => {
  for (const values of [[], [3], [-1, -2], [1, NaN, 2], [-0, 0], [Infinity, 1]]) {
    assertEquals(largest(values), Math.max(...values));
    assertEquals(smallest(values), Math.min(...values));
    assertEquals(largest(values, 0), Math.max(0, ...values));
  }
});

Deno.test("append adds a million items", () => {
  const list = [1];
  append(list, Array.from({ length: 1_000_000 }, (_, i) => i));
  assertEquals(list.length, 1_000_001);
  assertEquals(list.slice(0, 3), [1, 0, 1]);
});
