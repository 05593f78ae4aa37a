/** Tests differences between models: paired by prompt, and by resampling prompts. @module */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import { studentQuantile } from "@/lib/pipeline/experiments/student_t.ts";
import { clustersOf } from "@/lib/model/benchmarks/statistics/cluster_mean.ts";
import { differencesOf, type ModelMeasurement, pairedRatioDifference } from "./differences.ts";
import { centredInterval, distinctBigrams, resampledError } from "./distinct_interval.ts";

const one = (values: readonly number[]) =>
  clustersOf(values.map((sum, i) => ({ prompt: `p${i}`, sum, weight: 1 })));

Deno.test("pairedRatioDifference() is the t interval of the differences, worked by hand", () => {
  // Differences 1, 0, 1, 0: mean 1/2, variance 1/3, standard error sqrt(1/3/4); t with 3 degrees of freedom is 3.1824.
  const { mean, low, high, n } = pairedRatioDifference(one([1, 1, 1, 0]), one([0, 1, 0, 0]));
  const half = 3.182446 * Math.sqrt(1 / 3 / 4);
  assertEquals([mean, n], [0.5, 4]);
  assertAlmostEquals(low!, 0.5 - half, 1e-6);
  assertAlmostEquals(high!, 0.5 + half, 1e-6);
});

Deno.test("pairedRatioDifference() of single responses is the paired t interval, whatever both sides share", () => {
  const score = fc.double({ min: -9, max: 9, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(score, score), { minLength: 2, maxLength: 30 }),
      fc.integer({ min: -5, max: 5 }),
      (pairs, gain) => {
        const found = pairedRatioDifference(
          one(pairs.map(([a]) => a + gain)),
          one(pairs.map(([, b]) => b + gain)),
        );
        const differences = pairs.map(([a, b]) => a - b), n = pairs.length;
        const mean = differences.reduce((a, b) => a + b, 0) / n;
        const variance = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (n - 1);
        assertAlmostEquals(found.mean, mean, 1e-9);
        const half = studentQuantile(0.975, n - 1) * Math.sqrt(variance / n);
        if (half > 1e-9) assertAlmostEquals(found.high! - found.low!, 2 * half, 1e-6);
      },
    ),
    { seed: 2 },
  );
});

Deno.test("pairedRatioDifference() pools over tokens, and a prompt without tokens on one side counts", () => {
  const a = clustersOf([{ prompt: "x", sum: 2, weight: 4 }, { prompt: "y", sum: 9, weight: 6 }]);
  const b = clustersOf([{ prompt: "y", sum: 3, weight: 3 }]);
  // a: R = 1.1, residuals −2.4/10 and 2.4/10. b: R = 1, residual 0. s² = 2/1 · 2 · 0.0576 = 0.2304; t(1) = 12.7062.
  const { mean, low, n } = pairedRatioDifference(a, b);
  assertEquals(n, 2);
  assertAlmostEquals(mean, 0.1, 1e-12);
  assertAlmostEquals(low!, 0.1 - 12.7062047 * 0.48, 1e-6);
});

Deno.test("no interval has width zero: one prompt, and differences that are all equal, have none", () => {
  assertEquals(pairedRatioDifference(one([1]), one([0])), { mean: 1, n: 1, low: null, high: null });
  assertEquals(pairedRatioDifference(one([1, 1, 1]), one([0, 0, 0])), {
    mean: 1,
    n: 3,
    low: null,
    high: null,
  });
  const shifted = pairedRatioDifference(one([0.1, 0.2, 0.3]), one([1.1, 1.2, 1.3]));
  assertEquals([shifted.low, shifted.high], [null, null], "rounding errors are no spread");
  assertEquals(centredInterval(0.5, new Float64Array(0)), { low: null, high: null });
  assertEquals(centredInterval(0.5, Float64Array.of(0.5, 0.5)), { low: null, high: null });
});

/** Returns responses of 10 to 39 words of a vocabulary with Zipf's frequencies, which depend on the seed. */
function zipfResponses(count: number, seed: number): string[][] {
  const key = makeKey(seed, "zipf");
  let counter = 0;
  const next = () => uniform(key, counter++);
  return Array.from({ length: count }, () => [
    Array.from({ length: 10 + Math.floor(30 * next()) }, () => `w${Math.floor(60 ** next())}`).join(" "),
  ]);
}

Deno.test("the bootstrap error of distinct-2 is the deviation over fresh sets of prompts", () => {
  // As one prompt, since nothing needs to be resampled.
  const fresh = Array.from(
    { length: 300 },
    (_, seed) => distinctBigrams([zipfResponses(128, seed).flat()], 0).value,
  );
  const truth = resampledError(Float64Array.from(fresh));
  const found = Array.from(
    { length: 4 },
    (_, k) => resampledError(distinctBigrams(zipfResponses(128, 1000 + k), k).resampled),
  );
  const mean = found.reduce((a, b) => a + b, 0) / found.length;
  assert(mean / truth > 0.75 && mean / truth < 1.35, `bootstrap ${mean}, truth ${truth}`);
});

Deno.test("the 95 % interval of distinct-2 contains the value although resamples repeat prompts", () => {
  const { value, resampled } = distinctBigrams(zipfResponses(64, 3), 5);
  const { low, high } = centredInterval(value, resampled);
  assert(low! < value && value < high!);
  assert(resampled.every((x) => x < value), "quantiles of the resamples would exclude the value");
});

Deno.test("equal seeds give equal resamples, and equal models no difference", () => {
  const responses = zipfResponses(20, 1);
  const measured = (model: string, texts: string[][]): ModelMeasurement => ({
    model,
    mode: "greedy",
    clusters: new Map([["score", one(texts.map(([text]) => text!.length))]]),
    distinct: distinctBigrams(texts, 7),
  });
  const changed = responses.map(([text], i) => [i === 0 ? `${text} zebra` : text!]);
  const rows = differencesOf([measured("a", responses), measured("b", responses), measured("c", changed)]);
  assertEquals(rows.map(({ model, against, metric, method }) => [model, against, metric, method]), [
    ["b", "a", "score", "paired"],
    ["b", "a", "distinct_2", "bootstrap"],
    ["c", "a", "score", "paired"],
    ["c", "a", "distinct_2", "bootstrap"],
    ["c", "b", "score", "paired"],
    ["c", "b", "distinct_2", "bootstrap"],
  ]);
  assertEquals(rows.slice(0, 2).map(({ mean, low, high, n }) => [mean, low, high, n]), [
    [0, null, null, 20],
    [0, null, null, 20],
  ]);
  // One response of twenty gained a bigram: paired, this is far more precise than two independent sets.
  const [, , , paired] = rows, alone = centredInterval(0, measured("a", responses).distinct.resampled);
  assert(paired!.high! - paired!.low! < (alone.high! - alone.low!) / 3);
});
