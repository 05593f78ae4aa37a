import { assertEquals, assertThrows } from "@std/assert";
import { deriveSeed } from "./seed.ts";

Deno.test("deriveSeed() is the first 48 bits of SHA-256 of the JSON text", () => {
  // printf '[7,"sft",0]' | sha256sum
  assertEquals(deriveSeed(7, "sft", 0), 0x4e89db467b4a);
});

Deno.test("deriveSeed() keeps borders and types of labels apart", () => {
  const seeds = [
    deriveSeed(1),
    deriveSeed(1, "a", "b"),
    deriveSeed(1, "ab"),
    deriveSeed(1, "a,b"),
    deriveSeed(1, 1),
    deriveSeed(1, "1"),
    deriveSeed(11),
    deriveSeed(1, "b", "a"),
  ];
  assertEquals(new Set(seeds).size, seeds.length);
  for (const seed of seeds) assertEquals(Number.isSafeInteger(seed) && seed >= 0 && seed < 2 ** 48, true);
});

Deno.test("deriveSeed() refuses what JSON would blur", () => {
  assertThrows(
    () => deriveSeed(-1),
    RangeError,
    "Cannot derive a seed as the seed must be a non-negative safe integer: -1",
  );
  assertThrows(
    () => deriveSeed(1, "a", NaN, 0.5),
    RangeError,
    "Cannot derive a seed as numeric labels must be safe integers: NaN, 0.5",
  );
});
