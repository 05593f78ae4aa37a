import { assertEquals } from "@std/assert";
import { growthOf, type Sample } from "./growth.ts";

const MIB = 2 ** 20;
const samples = (bytes: (k: number) => number, descriptors: (k: number) => number): Sample[] =>
  Array.from(
    { length: 90 },
    (_, k) => ({ seconds: k, runs: k, bytes: bytes(k), descriptors: descriptors(k) }),
  );

Deno.test("memory and descriptors that vary without growing are accepted", () => {
  const { problems, bytes } = growthOf(samples((k) => (100 + 20 * (k % 2)) * MIB, (k) => 20 + k % 3));
  assertEquals([problems, bytes[0] === bytes[1]], [[], true]);
});

Deno.test("a leak of 1 MiB or of one descriptor per run is noticed", () => {
  assertEquals(growthOf(samples((k) => (100 + k) * MIB, (k) => 20 + k)).problems, [
    "memory grew from 115.0 MiB to 175.0 MiB",
    "descriptors grew from 35 to 95",
  ]);
});
