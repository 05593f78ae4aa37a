/** Tests pairs of models, their predictors, and hit rates, on cases made by hand. @module */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { SampleRow } from "@/lib/data/contracts/samples.ts";
import { hitRates, isFall, knownPairs } from "./hit_rates.ts";
import { type Arm, type Pair, pairsOf, PREDICTORS } from "./pairs.ts";
import { pairsTable, readPairsTable } from "./pairs_table.ts";

/** Returns an arm with 20 prompts in both modes; `scores` of prompt i. */
function arm(name: string, scores: (i: number) => Record<string, number>, nll: number, paper?: number): Arm {
  const rows = (of: (i: number) => Record<string, number>): SampleRow[] =>
    (["greedy", "sampled"] as const).flatMap((mode) =>
      Array.from({ length: 20 }, (_, i) => ({
        model: name,
        mode,
        promptId: `p${i}`,
        prompt: "",
        response: "",
        finishReason: "eos" as const,
        scores: JSON.stringify(of(i)),
      }))
    );
  const row = (mode: "greedy" | "sampled", metric: string, mean: number) => ({
    model: name,
    mode,
    metric,
    mean,
    stderr: 0,
    n: 1,
  });
  return {
    name,
    samples: rows(scores),
    evals: (["greedy", "sampled"] as const).flatMap((mode) => [
      row(mode, "validation_nll", nll),
      row(mode, "base_nll", nll + 1),
    ]),
    paper: paper === undefined ? undefined : rows(() => ({ reward: paper })),
  };
}

const sft = arm(
  "sft",
  (i) => ({
    score: i % 2,
    reward: 1,
    audit_reward: 1,
    audit_reward_without_eos: 1,
    eos_rate: 1,
    response_length: 10,
  }),
  1.2,
  5,
);
// Longer on the last three prompts only, where its audit reward is high.
const policy = arm(
  "paper@5",
  (i) => ({
    score: i % 4 === 1 ? 1 : 0,
    reward: 3,
    audit_reward: i < 17 ? 0.5 : 9,
    audit_reward_without_eos: 0,
    eos_rate: 0.5,
    response_length: i < 17 ? 10 : 20,
  }),
  1.5,
  9,
);

Deno.test("a pair has the true difference in score and what each measure says, positive for the first model", () => {
  const [greedy] = pairsOf([sft, policy], { seed: 1, demonstrations: 160 });
  assertEquals([greedy!.a, greedy!.b, greedy!.score], ["paper@5", "sft", -0.25]);
  // Differences −1 five times and 0 fifteen times: variance 20/19 · 3/16.
  assertAlmostEquals(greedy!.stderr, Math.sqrt(3 / 16 / 19), 1e-12);
  const { by } = greedy!;
  assertAlmostEquals(by.audit_reward!, (17 * -0.5 + 3 * 8) / 20, 1e-12);
  assertEquals(by.audit_length_matched, -0.5, "prompts with responses of other lengths do not count");
  assertEquals([by.audit_without_eos, by.eos_rate], [-1, -0.5]);
  assertEquals(by.trained_reward, 4, "the paper's reward, which this policy maximizes");
  assertAlmostEquals(by.validation_nll!, -0.3, 1e-12);
  assertEquals(by.longer, 1.5);
});

Deno.test("a pair of two loops has no trained reward, and too few equal lengths give no decision", () => {
  const other = { ...policy, name: "bagged@5", paper: undefined };
  assertEquals(pairsOf([policy, other], { seed: 1, demonstrations: 1 })[0]!.by.trained_reward, null);
  const long = arm("paper@9", () => ({ ...JSON.parse(policy.samples[0]!.scores), response_length: 99 }), 1);
  assertEquals(pairsOf([sft, long], { seed: 1, demonstrations: 1 })[0]!.by.audit_length_matched, null);
});

const pair = (seed: number, score: number, value: number | null): Pair => ({
  seed,
  demonstrations: 160,
  mode: "greedy",
  a: "paper@5",
  b: "sft",
  score,
  stderr: 0.1,
  by: Object.fromEntries(PREDICTORS.map((name) => [name, value])) as Pair["by"],
});

Deno.test("hitRates() counts only pairs that a predictor decides, with an interval over runs", () => {
  const pairs = [pair(1, 1, 1), pair(1, -1, 1), pair(2, 1, 1), pair(2, -1, -1), pair(3, 1, null)];
  const [rate] = hitRates(pairs);
  assertEquals([rate!.right, rate!.n, rate!.runs], [3, 4, 2]);
  // Rate 3/4; runs have 1 and 2 of 2: residuals −1/2 and 1/2, √(1/2 · 2/1)/4 = 1/4.
  assertAlmostEquals(rate!.interval![0], 0.75 - 1.96 / 4, 1e-12);
  assertEquals(rate!.interval![1], 1);
  assertEquals(hitRates(pairs.slice(0, 2))[0]!.interval, null);
});

Deno.test("only significant differences in score count, and a fall is a policy below its baselines", () => {
  assertEquals(knownPairs([pair(1, 0.19, 1), pair(1, -0.2, 1)]).length, 1);
  assertEquals([isFall(pair(1, -1, 1)), isFall(pair(1, 1, 1))], [true, false]);
  assertEquals(isFall({ ...pair(1, -1, 1), b: "paper@10" }), false);
});

Deno.test("the table of pairs reads back", () => {
  const pairs = [pair(1, 0.25, 1), pair(2, -0.5, null)];
  assertEquals(readPairsTable(pairsTable(pairs)), pairs);
  assertThrows(() => readPairsTable("a,b\n1,2\n"), RangeError);
});
