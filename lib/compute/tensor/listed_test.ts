import { assertEquals } from "@std/assert";
import { listed } from "./listed.ts";

Deno.test("listed() shows the first items and counts the rest", () => {
  assertEquals(listed([]), "");
  assertEquals(listed(["a", "b"]), "a; b");
  assertEquals(listed(["a", "b", "c", "d"], { most: 2, separator: ", " }), "a, b, and 2 more");
});
