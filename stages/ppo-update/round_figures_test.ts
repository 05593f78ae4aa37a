import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { roundFigures } from "./round_figures.ts";

/** Responses of 3 tokens with an end, of 2 cut off, and of an end alone; rewards 1, 4, 1. */
const ROWS: readonly ScoredRow[] = ([[3, "eos", 1, 2], [2, "length", 4, 5], [1, "eos", 1, null]] as const)
  .map(
    ([length, finishReason, rawReward, baseNll], i): ScoredRow => {
      const filled = (x: number) => new Float32Array(length).fill(x);
      return {
        id: `r${i}`,
        promptId: `p${i}`,
        sample: 0,
        promptIds: Int32Array.of(1),
        responseIds: new Int32Array(length),
        logprobs: filled(-1),
        logprobsT1: null,
        finishReason,
        meta: "{}",
        sftLogprobs: filled(-1.5),
        targetLogprobs: filled(-1.5),
        baseLogprobs: filled(-3),
        tokenRewards: filled(1.5),
        rawReward,
        reward: rawReward / 10,
        baseNll,
      };
    },
  );

Deno.test("roundFigures(): raw rewards, KL per response and per token, lengths, ends", () => {
  const figures = roundFigures(ROWS, { hasBos: true });
  assertAlmostEquals(figures.reward, 2, 1e-12);
  assertAlmostEquals(figures.reward_std, Math.sqrt(3), 1e-12);
  assertAlmostEquals(figures.kl_to_sft, 0.5 * 6 / 3, 1e-12);
  assertAlmostEquals(figures.kl_to_sft_per_token, 0.5, 1e-12);
  assertAlmostEquals(figures.kl_to_base, 2 * 6 / 3, 1e-12);
  assertAlmostEquals(figures.response_length, 2, 1e-12);
  assertAlmostEquals(figures.eos_rate, 2 / 3, 1e-12);
  assertAlmostEquals(figures.reward_length_correlation!, 0, 1e-12);
});

Deno.test("roundFigures() pools base_nll over tokens: ends do not count, nor without BOS the first", () => {
  assertAlmostEquals(roundFigures(ROWS, { hasBos: true }).base_nll!, (2 * 2 + 5 * 2) / 4, 1e-12);
  assertAlmostEquals(roundFigures(ROWS, { hasBos: false }).base_nll!, (2 * 1 + 5 * 1) / 2, 1e-12);
  assertEquals("base_nll" in roundFigures(ROWS.slice(2), { hasBos: true }), false);
});

Deno.test("roundFigures() leaves out what is undefined: a correlation of one row, word pairs without texts", () => {
  const one = roundFigures(ROWS.slice(0, 1), { hasBos: true });
  assertEquals(["reward_length_correlation" in one, "distinct_2" in one, one.reward_std], [false, false, 0]);
});

Deno.test("distinct_2 is the share of different neighbouring words, never across responses", () => {
  const of = (texts: readonly string[]) => roundFigures(ROWS, { texts, hasBos: true }).distinct_2;
  assertEquals(of(["a b c", "a b", ""]), 2 / 3); // a b, b c, a b
  assertEquals(of(["  one\ntwo  ", "one two", "two one"]), 2 / 3);
  assertEquals(of(["word", "", ""]), 0);
});
