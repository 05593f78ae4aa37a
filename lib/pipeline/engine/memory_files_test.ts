import { assertEquals } from "@std/assert";
import { fileContent } from "@/lib/data/files/hand_over.ts";
import { MemoryFiles } from "./memory_files.ts";

const bytes = (length: number) => fileContent([new Uint8Array(length)]);

/** Returns which of the digests a to e are in memory. */
const there = (files: MemoryFiles) => [..."abcde"].filter((digest) => files.get(digest)).join("");

Deno.test("files above the limit are evicted, the least recently used first", () => {
  const files = new MemoryFiles(30);
  for (const digest of "abc") files.add(digest, bytes(10), false);
  files.bind("/v/m/w", "a");
  files.at("/v/m/w");
  files.add("d", bytes(10), false);
  assertEquals([there(files), files.bytes], ["acd", 30]);
  files.add("e", bytes(31), false);
  assertEquals(there(files), "", "it is larger than the limit, and the others were older");
});

Deno.test("a file that is only in memory stays until it is stored or dropped, whatever its size", () => {
  const files = new MemoryFiles(10);
  files.add("a", bytes(20), true);
  files.add("b", bytes(20), true);
  files.add("c", bytes(5), false);
  assertEquals(there(files), "ab");
  files.add("a", bytes(20), false);
  assertEquals(there(files), "b", "the same file, written by another iteration");
  files.add("a", bytes(20), true);
  files.stored("b");
  assertEquals(there(files), "a");
  files.drop("a");
  assertEquals([there(files), files.bytes], ["", 0]);
});

Deno.test("paths are bound to files as long as these are in memory", () => {
  const files = new MemoryFiles(100);
  files.add("a", bytes(1), false);
  files.add("b", bytes(2), true);
  for (
    const [path, digest] of [["/v/m/w", "a"], ["/v/m/x", "b"], ["/v/n/w", "a"], ["/v/m/y", "c"]] as const
  ) {
    files.bind(path, digest);
  }
  assertEquals(files.names("/v/m"), ["w", "x"]);
  assertEquals([files.at("/v/m/w")?.size, files.at("/v/m/x")?.size, files.at("/v/m/y")], [1, 2, undefined]);
  files.release("/v/m");
  assertEquals([files.names("/v/m"), files.names("/v/n"), there(files)], [["x"], [], "b"]);
});
