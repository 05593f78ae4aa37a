import { assertEquals } from "@std/assert";
import type { DifferenceOfModels } from "@/lib/data/contracts/differences.ts";
import { bestOf, type ComparisonRow, differences, modelsOf } from "./comparison.ts";
import { headline, keyDifferences } from "./headline.ts";

function row(model: string, mean: number, rest: Partial<ComparisonRow> = {}): ComparisonRow {
  return { model, mode: "greedy", metric: "score", mean, stderr: 0.01, n: 4, ...rest };
}

function measured(rest: Partial<DifferenceOfModels> = {}): DifferenceOfModels {
  const names = { model: "srppo", against: "sft", mode: "greedy", metric: "score" } as const;
  return { ...names, mean: 0.5, low: 0.1, high: 0.9, n: 256, method: "paired", ...rest };
}

Deno.test("differences() are those that the evaluation measured on all prompts", () => {
  const rows = [row("sft", 0.25, { stderr: 0.25 }), row("srppo", 0.75, { stderr: 0.25 })];
  assertEquals(differences(rows, [measured({ against: "base" }), measured()]), [measured()]);
});

Deno.test("differences() between models of different evaluations add the standard errors in squares", () => {
  const rows = [row("sft", 0.25, { stderr: 0.3 }), row("srppo", 0.75, { stderr: 0.4 })];
  for (const none of [[], [measured({ mode: "sampled" })], [measured({ metric: "reward" })]]) {
    const [unpaired] = differences(rows, none);
    assertEquals(unpaired, {
      ...measured({ low: 0.5 - 1.96 * 0.5, high: 0.5 + 1.96 * 0.5, n: 4 }),
      method: "unpaired",
    });
  }
  const [unknown] = differences([row("sft", 0.25, { stderr: 0 }), rows[1]!], []);
  assertEquals([unknown!.low, unknown!.high], [null, null], "a standard error of 0 is not known");
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
function compared(rows: readonly ComparisonRow[], found: readonly DifferenceOfModels[] = []) {
  const models = modelsOf(rows).map((name) => ({ name, base: name === "base" }));
  return { models, comparison: [...rows], differences: differences(rows, found) };
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

Deno.test("the headline is against the better of SFT and continued SFT, not against the worse one", () => {
  const large = { n: 256 };
  const said = (sft: number, continued: number) =>
    headline(compared([
      row("base", 0.99, large),
      row("sft", sft, large),
      row("continued_sft", continued, large),
      row("srppo", 0.8, large),
    ])).headline;
  const best = ", the best of the other models: score 0.800 vs.";
  assertEquals(said(0.6, 0.7), `SRPPO beats continued SFT${best} 0.700 (greedy decoding)`);
  assertEquals(said(0.9, 0.7), `SRPPO is worse than SFT${best} 0.900 (greedy decoding)`);
  assertEquals(
    said(0.5, 0.79),
    `No significant difference between SRPPO and continued SFT${best} 0.790 (greedy decoding)`,
  );
  const nll = (model: string, mean: number) => row(model, mean, { metric: "validation_nll", n: 256 });
  assertEquals(
    headline(compared([nll("sft", 1.2), nll("continued_sft", 1.4), nll("srppo", 1.3)])).headline,
    "SRPPO is worse than SFT, the best of the other models: held-out NLL 1.300 vs. 1.200 (greedy decoding)",
  );
});

Deno.test("the headline names the other decoding mode where it disagrees", () => {
  const both = (model: string, greedy: number, sampled: number) => [
    row(model, greedy, { n: 256 }),
    row(model, sampled, { n: 256, mode: "sampled" }),
  ];
  const said = (sampled: number) =>
    headline(compared([...both("sft", 0.6, 0.5), ...both("srppo", 0.8, sampled)])).headline;
  const greedy = "SRPPO beats SFT: score 0.800 vs. 0.600 (greedy decoding)";
  assertEquals(said(0.7), greedy);
  assertEquals(said(0.5), `${greedy}; sampling: no significant difference`);
  assertEquals(said(0.3), `${greedy}; sampling: worse`);
});

Deno.test("one prompt is not enough, and equal differences have no interval of width zero", () => {
  const rows = [row("sft", 0.5), row("srppo", 1)];
  const said = (found: Partial<DifferenceOfModels>) =>
    headline(compared(rows, [measured({ low: null, high: null, ...found })]));
  assertEquals(said({ n: 1 }), {
    headline: "Not enough prompts to compare SRPPO with SFT: score 1.000 vs. 0.500 (greedy decoding)",
    findings: ["SRPPO − SFT, score, greedy decoding: +0.500, not enough prompts: 1, at least 2 are required"],
  });
  assertEquals(said({ n: 5 }), {
    headline: "No significant difference between SRPPO and SFT: score 1.000 vs. 0.500 (greedy decoding)",
    findings: [
      "SRPPO − SFT, score, greedy decoding: +0.500, the same on all 5 prompts, no significant difference",
    ],
  });
  assertEquals(said({ n: 6 }), {
    headline: "SRPPO beats SFT: score 1.000 vs. 0.500 (greedy decoding)",
    findings: ["SRPPO − SFT, score, greedy decoding: +0.500, the same on all 6 prompts, better"],
  });
});

Deno.test("headline() without a checker is about the audit reward or held-out demonstrations, never about the trained reward", () => {
  const nll = [
    row("sft", 1.5, { metric: "validation_nll" }),
    row("srppo", 1.4, { metric: "validation_nll" }),
  ];
  const reward = [row("sft", 30, { metric: "reward" }), row("srppo", 38, { metric: "reward" })];
  const audit = [row("sft", 5, { metric: "audit_reward" }), row("srppo", 4, { metric: "audit_reward" })];
  assertEquals(
    headline(compared([...reward, ...nll])).headline,
    "SRPPO beats SFT: held-out NLL 1.400 vs. 1.500 (greedy decoding)",
  );
  assertEquals(headline(compared([...reward, ...nll, ...audit])), {
    headline: "SRPPO is worse than SFT: audit reward 4.00 vs. 5.00 (greedy decoding)",
    findings: [
      "SRPPO − SFT, audit reward, greedy decoding: −1.00, 95 % interval −1.03 to −0.97, worse",
      "SRPPO − SFT, greedy decoding: trained reward +8.00, audit reward −1.00; the gap of +9.00 is over-optimization",
    ],
  });
  const higher = [row("sft", 5, { metric: "audit_reward" }), row("srppo", 15, { metric: "audit_reward" })];
  assertEquals(
    headline(compared([...reward, ...higher])).findings.at(-1),
    "SRPPO − SFT, greedy decoding: trained reward +8.00, audit reward +10.00; no over-optimization",
  );
  assertEquals(headline(compared(reward)), {
    headline:
      "No verdict, as only the trained reward was measured, which PPO maximizes: 38.00 for SRPPO vs. 30.00 for SFT " +
      "(greedy decoding)",
    findings: ["SRPPO − SFT, trained reward, greedy decoding: +8.00, 95 % interval +7.97 to +8.03"],
  });
});

Deno.test("the findings have the fluency of both decoding modes, against the model of the headline", () => {
  const of = (model: string, score: number, nll: number) =>
    (["greedy", "sampled"] as const).flatMap((mode) => [
      row(model, score, { mode, n: 256 }),
      row(model, nll, { mode, metric: "base_nll", n: 256 }),
      row(model, nll + 1, { mode, metric: "judge_nll", n: 256 }),
    ]);
  const { findings } = headline(
    compared([...of("sft", 0.5, 1.08), ...of("continued_sft", 0.6, 1.1), ...of("srppo", 0.8, 1.2)]),
  );
  assertEquals(findings.slice(4), [
    "SRPPO − continued SFT, base NLL, greedy decoding: +0.100, 95 % interval +0.072 to +0.128, worse",
    "SRPPO − continued SFT, base NLL, sampling: +0.100, 95 % interval +0.072 to +0.128, worse",
    "SRPPO − continued SFT, judge NLL, greedy decoding: +0.100, 95 % interval +0.072 to +0.128, worse",
    "SRPPO − continued SFT, judge NLL, sampling: +0.100, 95 % interval +0.072 to +0.128, worse",
  ]);
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
