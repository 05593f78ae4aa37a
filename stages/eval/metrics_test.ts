/** Tests means over prompts and distinct-2 on cases computed by hand. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { clusterMean, clustersOf } from "@/lib/model/benchmarks/statistics/cluster_mean.ts";
import { distinctBigrams } from "./distinct_interval.ts";

Deno.test("clusterMean() pools over tokens: 2 of 4 and 9 of 6 are 11 of 10", () => {
  // R = 1.1; residuals 2 − 4.4 = −2.4 and 9 − 6.6 = 2.4; √(2/1 · 11.52) / 10 = 0.48
  const { mean, stderr } = clusterMean([{ sum: 2, weight: 4 }, { sum: 9, weight: 6 }]);
  assertAlmostEquals(mean, 1.1, 1e-12);
  assertAlmostEquals(stderr, 0.48, 1e-12);
});

Deno.test("clusterMean() of single responses is the mean with the sample deviation over the root of their number", () => {
  const values = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 2, maxLength: 20 });
  fc.assert(
    fc.property(values, (numbers) => {
      const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
      const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (numbers.length - 1);
      const found = clusterMean(numbers.map((sum) => ({ sum, weight: 1 })));
      assertAlmostEquals(found.mean, mean, 1e-9);
      assertAlmostEquals(found.stderr, Math.sqrt(variance / numbers.length), 1e-9);
    }),
    { seed: 5 },
  );
});

Deno.test("clusterMean() of one prompt has a standard error of 0", () => {
  assertEquals(clusterMean([{ sum: 6, weight: 4 }]), { mean: 1.5, stderr: 0 });
});

Deno.test("clustersOf() joins the responses to one prompt: repeating them does not reduce the error", () => {
  const once = [{ prompt: "a", sum: 1, weight: 1 }, { prompt: "b", sum: 4, weight: 1 }];
  const twice = clustersOf([...once, ...once]);
  assertEquals([...twice.values()], [{ sum: 2, weight: 2 }, { sum: 8, weight: 2 }]);
  assertEquals(clusterMean(twice.values()), clusterMean(clustersOf(once).values()));
});

Deno.test("distinctBigrams() counts pairs within responses, across responses once", () => {
  const valueOf = (responses: string[]) => distinctBigrams(responses.map((response) => [response]), 0).value;
  assertEquals(valueOf(["a b a b", "a b"]), 2 / 4); // ab, ba, ab, ab
  assertEquals(valueOf(["  one ", ""]), 0);
  assertEquals(valueOf(["x y", "y x"]), 1); // no pair across the border
});
