import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { permutation } from "./shuffle.ts";
import { makeKey } from "./uniform.ts";

Deno.test("permutation() holds every index once and repeats for the same key", () => {
  fc.assert(fc.property(fc.nat(200), fc.nat(), (n, seed) => {
    const order = permutation(n, makeKey(seed, "order"));
    assertEquals([...order].sort((a, b) => a - b), Array.from({ length: n }, (_, i) => i));
    assertEquals(permutation(n, makeKey(seed, "order")), order);
  }));
});

Deno.test("permutation() gives all 24 orders of four equally often", () => {
  const counts = new Map<string, number>(), draws = 24_000, key = makeKey(5, "orders");
  for (let i = 0; i < draws; i++) {
    const name = permutation(4, key, { counter: 3 * i }).join("");
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  assertEquals(counts.size, 24);
  const chi = [...counts.values()].reduce((s, c) => s + (c - draws / 24) ** 2 / (draws / 24), 0);
  assert(chi < 23 + 5 * Math.sqrt(46), `χ² of 23 degrees is ${chi}`);
});

Deno.test("minibatches cut from permutation() use each row once an epoch, in another order each epoch (statement 6)", () => {
  const rows = 12, size = 4;
  const epochs = [0, 1].map((epoch) => {
    const order = permutation(rows, makeKey(9, "minibatches", epoch));
    return Array.from({ length: rows / size }, (_, i) => [...order.slice(i * size, (i + 1) * size)]);
  });
  for (const batches of epochs) {
    assertEquals(batches.flat().sort((a, b) => a - b), Array.from({ length: rows }, (_, i) => i));
  }
  assertNotEquals(epochs[0], epochs[1]);
});

Deno.test("permutation() rejects a length that is not a count", () => {
  assertThrows(
    () => permutation(-1, makeKey(0)),
    RangeError,
    "The length of an order must be an integer from 0 to 2^31 - 1, got -1",
  );
});
