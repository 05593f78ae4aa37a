import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { checkSampling, draw, mostProbable } from "./sampler.ts";

const row = Float32Array.of(0.1, 0.4, 0.2, 0.3);

Deno.test("draw() takes the token at which the running sum passes u", () => {
  // running sums: 0.1 0.5 0.7 1.0
  const drawn = [0, 0.0999, 0.11, 0.49, 0.51, 0.69, 0.71, 0.9999].map((u) =>
    draw(row, u, { temperature: 1 }).id
  );
  assertEquals(drawn, [0, 0, 1, 1, 2, 2, 3, 3]);
});

Deno.test("draw() never takes a token of probability 0, whatever u is", () => {
  const holes = Float32Array.of(0, 0.5, 0, 0.5, 0);
  for (const u of [0, 0.5, 1 - 2 ** -53]) assert([1, 3].includes(draw(holes, u, { temperature: 1 }).id));
});

Deno.test("top-k and top-p renormalise: log-probabilities are those of the distribution that was sampled from", () => {
  const { id, logprob } = draw(row, 0.99, { temperature: 1, topK: 2 }); // keeps 1 and 3, mass 0.7
  assertEquals(id, 3);
  assertAlmostEquals(logprob, Math.log(0.3 / 0.7), 1e-6);
  // 0.4 + 0.3 reach 0.6: tokens 1 and 3 again; 0.4 alone reaches 0.4
  assertAlmostEquals(draw(row, 0, { temperature: 1, topP: 0.6 }).logprob, Math.log(0.4 / 0.7), 1e-6);
  assertEquals(draw(row, 0.99, { temperature: 1, topP: 0.39 }), { id: 1, logprob: Math.log(1) });
});

Deno.test("mostProbable() takes the first of equals", () => {
  assertEquals(mostProbable(Float32Array.of(0.2, 0.4, 0.4)).id, 1);
});

Deno.test("draw() follows the probabilities", () => {
  const counts = [0, 0, 0, 0], n = 20000;
  for (let i = 0; i < n; i++) counts[draw(row, (i + 0.5) / n, { temperature: 1 }).id]!++;
  counts.forEach((count, id) => assertAlmostEquals(count / n, row[id]!, 1e-3));
});

Deno.test("draw() with any restriction takes a kept token with its probability over the kept mass", () => {
  const weights = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 2, maxLength: 30 }).filter((w) =>
    w.some((x) => x > 0)
  );
  fc.assert(
    fc.property(
      weights,
      fc.integer({ min: 0, max: 8 }),
      fc.double({ min: 0.05, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (w, topK, topP, u) => {
        const total = w.reduce((a, b) => a + b, 0), p = Float32Array.from(w, (x) => x / total);
        const { id, logprob } = draw(p, u, { temperature: 1, topK, topP });
        assert(p[id]! > 0);
        assert(logprob <= 1e-6 && logprob >= Math.log(p[id]!) - 1e-6);
        const better = p.filter((x) => x > p[id]!).length;
        if (topK > 0) assert(better < topK);
      },
    ),
    { seed: 3, numRuns: 200 },
  );
});

Deno.test("checkSampling() lists everything that is out of range", () => {
  assertThrows(
    () => checkSampling({ temperature: -1, topK: 0.5, topP: 0 }),
    UsageError,
    "Invalid sampling settings: temperature must be at least 0, got -1; " +
      "top_k must be an integer of at least 0, got 0.5; top_p must be in (0, 1], got 0",
  );
});
