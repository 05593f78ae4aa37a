import { assertEquals, assertThrows } from "@std/assert";
import { repeater, summarise } from "./timing.ts";

Deno.test("summarise() gives the middle, or the mean of the two in the middle, and the ends", () => {
  assertEquals(summarise([3, 1, 10]), { median: 3, min: 1, max: 10 });
  assertEquals(summarise([4, 1, 2, 9]), { median: 3, min: 1, max: 9 });
  assertThrows(
    () => summarise([]),
    RangeError,
    "A summary requires at least one measurement, got none",
  );
});

Deno.test("repeater() counts steps where they are given, and gives at least the least where they are not", () => {
  const countOf = (more: () => boolean) => {
    let count = 0;
    while (more()) count++;
    return count;
  };
  assertEquals(countOf(repeater({ steps: 3, seconds: 0, least: 5 })), 3);
  assertEquals(countOf(repeater({ seconds: 0, least: 5 })), 5);
});
