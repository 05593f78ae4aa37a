/** Tests statistics of a reward and their wording, computed by hand. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { type Diagnosis, diagnosis } from "./diagnose.ts";
import type { Preflight } from "./preflight.ts";
import { diagnosisSentences, rewardWarnings } from "./verdict.ts";

const END = 2;

/** A response with token rewards `rewards`; the last token is EOS. */
function response(promptId: string, rewards: readonly number[]): ScoredRow {
  const list = new Float32Array(rewards.length), rawReward = rewards.reduce((a, b) => a + b, 0);
  return {
    id: "a",
    promptId,
    sample: 0,
    promptIds: Int32Array.of(1),
    responseIds: Int32Array.from(rewards, (_, t) => t === rewards.length - 1 ? END : 10),
    logprobs: list,
    logprobsT1: null,
    finishReason: "eos",
    meta: "{}",
    sftLogprobs: list,
    targetLogprobs: list,
    baseLogprobs: list,
    tokenRewards: Float32Array.from(rewards),
    rawReward,
    reward: rawReward,
    baseNll: null,
  };
}

Deno.test("diagnosis() by hand: two prompts with two responses each", () => {
  const rows = [
    response("p", [1, 1, 0]),
    response("p", [-6, 4]),
    response("q", [2, 5]),
    response("q", [2, 1]),
  ];
  // rewards 2, −2, 7, 3; centred 2, −2, 2, −2
  const found = diagnosis(rows, [[1, 0, 1, 0], [5, 3, 0, 2]], [END]);
  assertEquals([found.responses, found.prompts], [4, 2]);
  assertEquals(found.reward_spread, Math.sqrt(16 / 2)); // 4 responses, 2 prompts
  // second member centred: 1, −1, −1, 1; first: ½, −½, ½, −½: they cancel
  assertEquals([found.member_agreement, found.reliability], [0, 0]);
  assertEquals(found.top_token_share, 6 / 12); // 1 % of five tokens is one: |−6| of 1 + 1 + 6 + 2 + 2
  // EOS 0, 4, 5, 1; centred −2, 2, 2, −2: cancels against the reward's
  assertEquals(found.eos_spread_share, 0);
  assertAlmostEquals(found.length_correlation!, Math.SQRT1_2, 1e-12); // lengths centred ½, −½, 0, 0
});

Deno.test("diagnosis() of one member, one response each, and rewards of 0: undefined statistics are null", () => {
  const found = diagnosis([response("p", [0, 0]), response("q", [0, 1])], [[0, 1]], [END]);
  assertEquals(found, {
    responses: 2,
    prompts: 2,
    reward_spread: null,
    member_agreement: null,
    reliability: null,
    top_token_share: null,
    eos_spread_share: null,
    length_correlation: null,
  });
  assertEquals(diagnosisSentences(found), [
    "Member agreement is unknown: it requires two members and different responses to one prompt.",
  ]);
});

const SOUND: Diagnosis = {
  responses: 128,
  prompts: 64,
  reward_spread: 2,
  member_agreement: 0.5,
  reliability: 0.8,
  top_token_share: 0.2,
  eos_spread_share: 0.1,
  length_correlation: -0.3,
};

Deno.test("an informative reward gets sentences and no warning", () => {
  assertEquals(rewardWarnings(SOUND, undefined), []);
  assertEquals(diagnosisSentences(SOUND), [
    "Member agreement within prompts (mean correlation): 0.50; reliability: 80 % of the reward's variance is shared by the " +
    "members.",
    "Top 1 % of tokens by |reward| (without EOS): 20 % of Σ |reward|; EOS: 10 % of the reward's variance within prompts; " +
    "correlation of reward and length within prompts: -0.30.",
  ]);
});

Deno.test("every statistic out of its range is a warning, and so is a gain within two standard errors", () => {
  const bad = {
    ...SOUND,
    reliability: 0.4,
    top_token_share: 0.6,
    eos_spread_share: 0.7,
    length_correlation: -0.9,
  };
  const preflight: Preflight = {
    prompts: 9,
    samples_per_prompt: 8,
    average_score: 0.5,
    best_score: 0.51,
    worst_score: 0.5,
    gain: 0.01,
    gain_stderr: 0.02,
    within_prompt_correlation: 0.1,
    verdict: "",
  };
  assertEquals(rewardWarnings(bad, preflight), [
    "uninformative reward: selecting the best of 8 responses by reward changes the mean score by +0.010 ± 0.020",
    "unreliable reward: the members share only 40 % of its variance. Try more demonstrations, fewer SFT epochs, more members, " +
    "floor, or eos_bound.",
    "the top 1 % of tokens by |reward| account for 60 % of Σ |reward|: set floor, floor_both or token_cap",
    "EOS accounts for 70 % of the reward's variance within prompts: set eos_bound",
    "the reward depends mostly on length: correlation -0.90 within prompts; set length_norm",
  ]);
  assertEquals(rewardWarnings(SOUND, { ...preflight, gain: 0.05 }), []);
});
