import { assertEquals } from "@std/assert";
import { RecentlyUsed } from "./recently_used.ts";

Deno.test("RecentlyUsed drops the least recently used value and creates it again on demand", () => {
  const cache = new RecentlyUsed<string>(2), made: string[] = [];
  const get = (key: string) => cache.get(key, () => (made.push(key), key.toUpperCase()));
  assertEquals(["a", "b", "a", "c", "a", "b"].map(get), ["A", "B", "A", "C", "A", "B"]);
  assertEquals(made, ["a", "b", "c", "b"]);
  cache.clear();
  assertEquals([get("b"), made.length], ["B", 5]);
});
