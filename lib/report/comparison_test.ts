import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  bestOf,
  type ComparisonRow,
  differences,
  meanDifference,
  modelsOf,
  type ReportSample,
} from "./comparison.ts";
import { headline, keyDifferences } from "./headline.ts";

function row(model: string, mean: number, rest: Partial<ComparisonRow> = {}): ComparisonRow {
  return { model, mode: "greedy", metric: "score", mean, stderr: 0.01, n: 4, ...rest };
}

function samples(model: string, scores: readonly number[]): ReportSample[] {
  return scores.map((score, i) => ({
    model,
    mode: "greedy",
    prompt_id: `p${i}`,
    prompt: "",
    words: [],
    response: "",
    finish_reason: "eos",
    scores: { score },
  }));
}

Deno.test("meanDifference() gives mean and standard error of the differences, worked by hand", () => {
  // Differences 1, 0, 1, 0: mean 1/2, squares 4 · 1/4 = 1, variance 1/3, standard error sqrt(1/3/4).
  const { mean, stderr } = meanDifference([1, 1, 1, 0], [0, 1, 0, 0])!;
  assertEquals(mean, 0.5);
  assertAlmostEquals(stderr, Math.sqrt(1 / 3 / 4), 1e-15);
  assertEquals(meanDifference([1], [0]), undefined);
  assertEquals(meanDifference([1, 2], [0]), undefined);
});

Deno.test("meanDifference() does not change when both sides gain the same", () => {
  const scores = fc.array(
    fc.tuple(fc.double({ min: -9, max: 9, noNaN: true }), fc.double({ min: -9, max: 9, noNaN: true })),
    {
      minLength: 2,
    },
  );
  fc.assert(
    fc.property(scores, fc.integer({ min: -5, max: 5 }), (pairs, gain) => {
      const plain = meanDifference(pairs.map(([a]) => a), pairs.map(([, b]) => b))!;
      const moved = meanDifference(pairs.map(([a]) => a + gain), pairs.map(([, b]) => b + gain))!;
      assertAlmostEquals(moved.mean, plain.mean, 1e-12);
      assertAlmostEquals(moved.stderr, plain.stderr, 1e-9);
    }),
    { seed: 2 },
  );
});

Deno.test("differences() pairs by prompt, whatever the order of the samples, when all scores are known", () => {
  const rows = [row("sft", 0.25, { stderr: 0.25 }), row("srppo", 0.75, { stderr: 0.25 })];
  const all = [...samples("sft", [0, 1, 0, 0]), ...samples("srppo", [1, 1, 1, 0]).reverse()];
  const [paired] = differences(rows, all);
  assertEquals(paired, {
    model: "srppo",
    against: "sft",
    mode: "greedy",
    metric: "score",
    mean: 0.5,
    stderr: Math.sqrt(1 / 3) / 2,
    n: 4,
    paired: true,
  });
});

Deno.test("differences() adds the standard errors in squares when samples are missing", () => {
  const rows = [row("sft", 0.25, { stderr: 0.3 }), row("srppo", 0.75, { stderr: 0.4 })];
  for (
    const some of [[], samples("srppo", [1, 1, 1, 0]), [
      ...samples("sft", [0, 1]),
      ...samples("srppo", [1, 1]),
    ]]
  ) {
    const [unpaired] = differences(rows, some);
    assertEquals([unpaired!.stderr, unpaired!.paired], [0.5, false]);
  }
});

Deno.test("modelsOf() keeps the manifest's order, and differences() compares the last model with the others", () => {
  const rows = [row("base", 0), row("mine", 0.5), row("other", 1)];
  assertEquals(modelsOf([...rows, ...rows]), ["base", "mine", "other"]);
  assertEquals(differences(rows, []).map((d) => [d.model, d.against, d.mean]), [
    ["other", "base", 1],
    ["other", "mine", 0.5],
  ]);
});

Deno.test("bestOf() follows the direction, takes ties, and none where there is nothing to choose", () => {
  const best = (metric: string, means: readonly number[]) =>
    [...bestOf(means.map((mean, k) => row(`m${k}`, mean, { metric })))].map(({ model }) => model);
  assertEquals(best("score", [1, 2, 2]), ["m1", "m2"]);
  assertEquals(best("base_nll", [1, 2, 2]), ["m0"]);
  assertEquals(best("response_length", [1, 2, 2]), []);
  assertEquals(best("score", [2, 2]), []);
  assertEquals(best("score", [1]), []);
});

/** What the headline reads: `rows`, of which the model `base` is the base. */
function compared(rows: readonly ComparisonRow[]) {
  const models = modelsOf(rows).map((name) => ({ name, base: name === "base" }));
  return { models, comparison: [...rows], differences: differences(rows, []) };
}

Deno.test("headline() claims a gain only when the 95 % interval excludes zero", () => {
  const said = (mean: number) =>
    headline(
      compared([row("sft", 0.7, { n: 256, stderr: 0.03 }), row("srppo", mean, { n: 256, stderr: 0.04 })]),
    );
  assertEquals(said(0.81), {
    headline: "SRPPO beats SFT: score 0.810 vs. 0.700 (greedy decoding)",
    findings: ["SRPPO − SFT, score, greedy decoding: +0.110, 95 % interval +0.012 to +0.208, better"],
  });
  assertEquals(said(0.79), {
    headline: "No significant difference between SRPPO and SFT: score 0.790 vs. 0.700 (greedy decoding)",
    findings: [
      "SRPPO − SFT, score, greedy decoding: +0.090, 95 % interval −0.008 to +0.188, no significant difference",
    ],
  });
  assertEquals(said(0.5).headline, "SRPPO is worse than SFT: score 0.500 vs. 0.700 (greedy decoding)");
});

Deno.test("headline() without a checker is about held-out demonstrations, where less is better, or about reward", () => {
  const nll = [
    row("sft", 1.5, { metric: "validation_nll" }),
    row("srppo", 1.4, { metric: "validation_nll" }),
  ];
  const reward = [row("sft", 30, { metric: "reward" }), row("srppo", 38, { metric: "reward" })];
  assertEquals(
    headline(compared([...reward, ...nll])).headline,
    "SRPPO beats SFT: held-out NLL 1.400 vs. 1.500 (greedy decoding)",
  );
  assertEquals(
    headline(compared(reward)).headline,
    "SRPPO beats SFT: reward 38.00 vs. 30.00 (greedy decoding)",
  );
});

Deno.test("headline() has a sentence for a lone model and for none", () => {
  assertEquals(headline(compared([row("sft", 0.7)])), {
    headline: "SFT: score 0.700 (greedy decoding)",
    findings: [],
  });
  assertEquals(headline(compared([])), {
    headline: "Run finished; no models were compared",
    findings: [],
  });
});

Deno.test("keyDifferences() leaves out the base", () => {
  const differences = keyDifferences(compared([row("base", 0), row("sft", 0.7), row("srppo", 0.8)]));
  assertEquals(differences.map((d) => d.against), ["sft"]);
});
