import { assertAlmostEquals, assertEquals } from "@std/assert";
import { rolloutStatistics } from "./statistics.ts";
import { type Rollout, rolloutOf } from "./trajectory.ts";

/** Responses of 3 tokens with EOS, of 2 truncated, and of EOS alone; rewards 1, 4, 1. */
const ROLLOUTS: readonly Rollout[] = ([[3, "eos", 1, 2], [2, "length", 4, 5], [1, "eos", 1, null]] as const)
  .map(
    ([length, finishReason, rawReward, baseNll], i): Rollout => {
      const filled = (x: number) => new Float32Array(length).fill(x);
      return rolloutOf({
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
      });
    },
  );

Deno.test("rolloutStatistics(): raw rewards, KL per response and per token, lengths, ends", () => {
  const found = rolloutStatistics(ROLLOUTS, { hasBos: true });
  assertAlmostEquals(found.reward, 2, 1e-12);
  assertAlmostEquals(found.reward_std, Math.sqrt(3), 1e-12);
  assertAlmostEquals(found.kl_to_sft, 0.5 * 6 / 3, 1e-12);
  assertAlmostEquals(found.kl_to_sft_per_token, 0.5, 1e-12);
  assertAlmostEquals(found.kl_to_base, 2 * 6 / 3, 1e-12);
  assertAlmostEquals(found.response_length, 2, 1e-12);
  assertAlmostEquals(found.eos_rate, 2 / 3, 1e-12);
  assertAlmostEquals(found.reward_length_correlation!, 0, 1e-12);
});

Deno.test("rolloutStatistics() averages base_nll over tokens, without EOS, and without the first token where there is no BOS", () => {
  assertAlmostEquals(rolloutStatistics(ROLLOUTS, { hasBos: true }).base_nll!, (2 * 2 + 5 * 2) / 4, 1e-12);
  assertAlmostEquals(rolloutStatistics(ROLLOUTS, { hasBos: false }).base_nll!, (2 * 1 + 5 * 1) / 2, 1e-12);
  assertEquals("base_nll" in rolloutStatistics(ROLLOUTS.slice(2), { hasBos: true }), false);
});

Deno.test("rolloutStatistics() leaves out what is undefined: a correlation of one row, word pairs without texts", () => {
  const one = rolloutStatistics(ROLLOUTS.slice(0, 1), { hasBos: true });
  assertEquals(["reward_length_correlation" in one, "distinct_2" in one, one.reward_std], [false, false, 0]);
});

Deno.test("distinct_2 is the share of different neighbouring words, never across responses", () => {
  const of = (texts: readonly string[]) => rolloutStatistics(ROLLOUTS, { texts, hasBos: true }).distinct_2;
  assertEquals(of(["a b c", "a b", ""]), 2 / 3); // a b, b c, a b
  assertEquals(of(["  one\ntwo  ", "one two", "two one"]), 2 / 3);
  assertEquals(of(["word", "", ""]), 0);
});
