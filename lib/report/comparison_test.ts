import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  bestModels,
  type ComparisonRow,
  differences,
  modelsOf,
  pairedDifference,
  type SampleRow,
  subjectOf,
} from "./comparison.ts";
import { headline, tellingDifferences } from "./headline.ts";

function row(model: string, mean: number, rest: Partial<ComparisonRow> = {}): ComparisonRow {
  return { model, mode: "greedy", metric: "score", mean, stderr: 0.01, n: 4, ...rest };
}

function samples(model: string, scores: readonly number[]): SampleRow[] {
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

Deno.test("pairedDifference() gives mean and standard error of the differences, worked by hand", () => {
  // Differences 1, 0, 1, 0: mean 1/2, squares 4 · 1/4 = 1, variance 1/3, standard error sqrt(1/3/4).
  assertEquals(pairedDifference([1, 1, 1, 0], [0, 1, 0, 0]), { mean: 0.5, stderr: Math.sqrt(1 / 3 / 4) });
  assertEquals(pairedDifference([1], [0]), undefined);
  assertEquals(pairedDifference([1, 2], [0]), undefined);
});

Deno.test("pairedDifference() does not change when both sides gain the same", () => {
  const scores = fc.array(
    fc.tuple(fc.double({ min: -9, max: 9, noNaN: true }), fc.double({ min: -9, max: 9, noNaN: true })),
    {
      minLength: 2,
    },
  );
  fc.assert(
    fc.property(scores, fc.integer({ min: -5, max: 5 }), (pairs, gain) => {
      const plain = pairedDifference(pairs.map(([a]) => a), pairs.map(([, b]) => b))!;
      const moved = pairedDifference(pairs.map(([a]) => a + gain), pairs.map(([, b]) => b + gain))!;
      assertAlmostEquals(moved.mean, plain.mean, 1e-12);
      assertAlmostEquals(moved.stderr, plain.stderr, 1e-9);
    }),
    { seed: 2 },
  );
});

Deno.test("differences() pairs by prompt, whatever the order of the samples, when all scores are there", () => {
  const rows = [row("sft", 0.25, { stderr: 0.25 }), row("srppo", 0.75, { stderr: 0.25 })];
  const all = [...samples("sft", [0, 1, 0, 0]), ...samples("srppo", [1, 1, 1, 0]).reverse()];
  const [paired] = differences(rows, all);
  assertEquals(paired, {
    model: "srppo",
    against: "sft",
    mode: "greedy",
    metric: "score",
    mean: 0.5,
    stderr: Math.sqrt(1 / 3 / 4),
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

Deno.test("modelsOf() and subjectOf() put baselines first and find what the run is about", () => {
  assertEquals(modelsOf([row("srppo", 0), row("other", 0), row("base", 0), row("sft", 0)]), [
    "base",
    "sft",
    "srppo",
    "other",
  ]);
  assertEquals(subjectOf(["base", "srppo", "other"]), "srppo");
  assertEquals(subjectOf(["base", "sft", "dpo"]), "dpo");
  assertEquals(subjectOf(["base", "sft"]), "sft");
  assertEquals(subjectOf([]), undefined);
});

Deno.test("bestModels() follows the direction, takes ties, and none where there is nothing to choose", () => {
  const rows = [row("base", 1), row("sft", 2), row("srppo", 2)];
  const best = (
    better: "more" | "less" | undefined,
    of = rows,
  ) => [...bestModels(of, { mode: "greedy", metric: "score", better })];
  assertEquals(best("more"), ["sft", "srppo"]);
  assertEquals(best("less"), ["base"]);
  assertEquals(best(undefined), []);
  assertEquals(best("more", rows.slice(1)), []);
  assertEquals(best("more", rows.slice(0, 1)), []);
});

Deno.test("headline() claims a gain only when the 95 % interval leaves zero out", () => {
  const said = (mean: number) => {
    const rows = [row("sft", 0.7, { n: 256, stderr: 0.03 }), row("srppo", mean, { n: 256, stderr: 0.04 })];
    return headline(rows, differences(rows, []));
  };
  assertEquals(said(0.81), {
    headline: "SRPPO beats SFT: score 0.810 against 0.700 in greedy decoding",
    findings: ["Greedy score, SRPPO − SFT: +0.110, 95 % interval +0.012 to +0.208: better"],
  });
  assertEquals(said(0.79), {
    headline: "SRPPO cannot be told from SFT: score 0.790 against 0.700 in greedy decoding",
    findings: ["Greedy score, SRPPO − SFT: +0.090, 95 % interval −0.008 to +0.188: not distinguishable"],
  });
  assertEquals(said(0.5).headline, "SRPPO falls behind SFT: score 0.500 against 0.700 in greedy decoding");
});

Deno.test("headline() without a checker speaks of held-back demonstrations, where less is better, or of reward", () => {
  const nll = [
    row("sft", 1.5, { metric: "validation_nll" }),
    row("srppo", 1.4, { metric: "validation_nll" }),
  ];
  const reward = [row("sft", 30, { metric: "reward" }), row("srppo", 38, { metric: "reward" })];
  assertEquals(
    headline([...reward, ...nll], differences([...reward, ...nll], [])).headline,
    "SRPPO beats SFT: NLL of held-back demonstrations 1.400 against 1.500 in greedy decoding",
  );
  assertEquals(
    headline(reward, differences(reward, [])).headline,
    "SRPPO beats SFT: reward 38.00 against 30.00 in greedy decoding",
  );
});

Deno.test("headline() has a sentence for a lone model and for none", () => {
  assertEquals(headline([row("sft", 0.7)], []), {
    headline: "SFT’s score is 0.700 in greedy decoding",
    findings: [],
  });
  assertEquals(headline([], []), { headline: "The run is finished; it compared no models", findings: [] });
});

Deno.test("tellingDifferences() leaves the base out: beating it says little", () => {
  const rows = [row("base", 0), row("sft", 0.7), row("srppo", 0.8)];
  const telling = tellingDifferences(rows, differences(rows, []));
  assert(telling.length > 0);
  assertEquals(telling.map((d) => d.against), ["sft"]);
});
