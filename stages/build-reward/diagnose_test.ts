/** Figures of a reward and what they mean, worked by hand. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { type Diagnosis, diagnosis } from "./diagnose.ts";
import type { Preflight } from "./preflight.ts";
import { diagnosisSentences, warningsOf } from "./verdict.ts";

const END = 2;

/** An answer whose tokens earn `rewards`; the last one is an end. */
function answer(promptId: string, rewards: readonly number[]): ScoredRow {
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

Deno.test("diagnosis() by hand: two prompts with two answers each", () => {
  const rows = [answer("p", [1, 1, 0]), answer("p", [-6, 4]), answer("q", [2, 5]), answer("q", [2, 1])];
  // rewards 2, −2, 7, 3; centred 2, −2, 2, −2
  const found = diagnosis(rows, [[1, 0, 1, 0], [5, 3, 0, 2]], [END]);
  assertEquals([found.answers, found.prompts], [4, 2]);
  // second judge centred: 1, −1, −1, 1; first: ½, −½, ½, −½: they cancel
  assertEquals([found.member_agreement, found.reliability], [0, 0]);
  assertEquals(found.top_token_share, 6 / 12); // 1 % of five tokens is one: |−6| of 1 + 1 + 6 + 2 + 2
  // ends 0, 4, 5, 1; centred −2, 2, 2, −2: cancels against the reward's
  assertEquals(found.eos_spread_share, 0);
  assertAlmostEquals(found.length_correlation!, Math.SQRT1_2, 1e-12); // lengths centred ½, −½, 0, 0
});

Deno.test("diagnosis() of one member, one answer each, and nothing paid: what is undefined is null", () => {
  const found = diagnosis([answer("p", [0, 0]), answer("q", [0, 1])], [[0, 1]], [END]);
  assertEquals(found, {
    answers: 2,
    prompts: 2,
    member_agreement: null,
    reliability: null,
    top_token_share: null,
    eos_spread_share: null,
    length_correlation: null,
  });
  assertEquals(diagnosisSentences(found), [
    "Nothing is known of how members agree: it takes two, and answers to one prompt that differ.",
  ]);
});

const SOUND: Diagnosis = {
  answers: 128,
  prompts: 64,
  member_agreement: 0.5,
  reliability: 0.8,
  top_token_share: 0.2,
  eos_spread_share: 0.1,
  length_correlation: -0.3,
};

Deno.test("a sound reward gets sentences and no warning", () => {
  assertEquals(warningsOf(SOUND, undefined), []);
  assertEquals(diagnosisSentences(SOUND), [
    "The members agree by 0.50 on which of two answers to a prompt is better; 80 % of what the reward prefers is common to " +
    "them, the rest is what each memorised.",
    "The 1 % of tokens that count most carry 20 % of what is paid, ends left out; the end token makes 10 % of what tells " +
    "answers to one prompt apart; within prompts, reward and length correlate by -0.30.",
  ]);
});

Deno.test("every figure out of its band is a warning, and so is a gain within two standard errors", () => {
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
  assertEquals(warningsOf(bad, preflight), [
    "the reward ranks noise: picking the best of 8 answers by it changes the score by +0.010 ± 0.020",
    "the reward ranks noise more than answers: only 40 % of what it prefers is common to its members. More demonstrations, " +
    "fewer epochs, several members, a floor and a bound of the end token have helped elsewhere.",
    "1 % of the tokens carry 60 % of the reward: floor, floor_both or token_cap take the pay from them",
    "the end token makes 70 % of what tells answers to one prompt apart: eos_bound limits it",
    "within prompts the reward is mostly length: they correlate by -0.90; length_norm takes that out",
  ]);
  assertEquals(warningsOf(SOUND, { ...preflight, gain: 0.05 }), []);
});
