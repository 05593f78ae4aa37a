/** Tests statistics of benchmarks against closed forms and small examples. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { bestOfN } from "./best_of_n.ts";
import { pearson, spearman } from "./correlation.ts";
import { distinctN, selfBleu } from "./diversity.ts";
import { pairedBootstrap } from "./paired_bootstrap.ts";
import { sharedDocuments } from "./shared_grams.ts";

Deno.test("best of n by the metric itself is pass@n: 1 − C(N−c, n)/C(N, n)", () => {
  const samples = [1, 0, 0, 1, 0].map((value) => ({ value, chosenBy: value }));
  const expected = [2 / 5, 1 - 3 / 10, 1 - 1 / 10, 1, 1];
  for (const [n, value] of bestOfN([samples]).entries()) assertAlmostEquals(value, expected[n]!, 1e-12);
});

Deno.test("best of n by another quantity follows its order; of equal ones the mean counts", () => {
  const samples = [{ value: 0, chosenBy: 2 }, { value: 1, chosenBy: 1 }, { value: 0, chosenBy: 1 }];
  const [one, two, three] = bestOfN([samples]);
  assertAlmostEquals(one!, 1 / 3, 1e-12);
  assertAlmostEquals(two!, 1 / 3 * 0.5, 1e-12); // the pair without the first sample
  assertAlmostEquals(three!, 0, 1e-12);
});

Deno.test("the paired bootstrap contains 0 for equal models and excludes it for a constant difference", () => {
  const a = Array.from({ length: 50 }, (_, i) => ({ sum: i % 2, weight: 1 }));
  const b = a.map(({ sum }) => ({ sum: sum - 0.5, weight: 1 }));
  assertEquals(pairedBootstrap(a, a), { difference: 0, low: 0, high: 0, p: 1 });
  const { difference, low, high, p } = pairedBootstrap(a, b);
  for (const value of [difference, low, high]) assertAlmostEquals(value, 0.5, 1e-12);
  assertEquals(p, 0);
});

Deno.test("the bootstrap's interval is that of the normal approximation for many documents", () => {
  const a = Array.from({ length: 400 }, (_, i) => ({ sum: i % 4 === 0 ? 1 : 0, weight: 1 }));
  const b = a.map(() => ({ sum: 0, weight: 1 })), half = 1.96 * Math.sqrt(0.25 * 0.75 / 400);
  const { low, high } = pairedBootstrap(a, b);
  assertAlmostEquals(low, 0.25 - half, 0.006);
  assertAlmostEquals(high, 0.25 + half, 0.006);
});

Deno.test("correlations: Pearson, and Spearman with mean ranks", () => {
  assertAlmostEquals(pearson([1, 2, 3], [2, 4, 6])!, 1, 1e-12);
  assertAlmostEquals(spearman([1, 2, 2, 9], [1, 5, 3, 100])!, 0.9486832980505138, 1e-12); // scipy.stats.spearmanr
  assertEquals(pearson([1, 1], [1, 2]), undefined);
});

Deno.test("distinct-n counts n-grams of all texts; self-BLEU is 1 for equal texts", () => {
  assertAlmostEquals(distinctN(["a b a", "b a"], 2), 2 / 3, 1e-12);
  assertAlmostEquals(selfBleu(["a b c d e", "a b c d e"]), 1, 1e-12);
  // sacrebleu-free check: unigrams 1/2, higher orders smoothed with 0.1
  assertAlmostEquals(selfBleu(["a b", "a c"]), Math.sqrt(0.5 * 0.1), 1e-12);
});

Deno.test("documents that share a 13-gram are found, whatever case and punctuation", () => {
  const words = Array.from({ length: 13 }, (_, i) => `w${i}`);
  const documents = [`Start ${words.join(" ")} end`, words.slice(1).join(" "), "other"];
  assertEquals(sharedDocuments(documents, [`x, ${words.join(", ").toUpperCase()}!`]), [0]);
});
