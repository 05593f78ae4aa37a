/** The verdict on a reward: every branch of the rule, and its metrics. @module */
import { assert, assertEquals } from "@std/assert";
import type { Diagnosis } from "./diagnose.ts";
import { type Evidence, judge, judgementMetrics } from "./judge.ts";
import type { Preflight } from "./preflight.ts";

const DIAGNOSIS: Diagnosis = {
  responses: 128,
  prompts: 64,
  reward_spread: 2,
  member_agreement: 0.5,
  reliability: 0.8,
  top_token_share: 0.2,
  eos_spread_share: 0.1,
  length_correlation: -0.3,
};
const SOUND: Evidence = { baseWeight: 1, sft: { floor_share: 0.05 }, repeatShare: 0, diagnosis: DIAGNOSIS };
const PREFERENCE = {
  demonstrations: 9,
  samples_per_prompt: 8,
  preference: 0.4,
  preference_stderr: 0.02,
  best_of_4_loglik: -2,
  best_of_4_loglik_stderr: 0.1,
  memorised_share: 0.9,
};

function preflight(gain: number, gain_stderr: number): Preflight {
  const scores = { average_score: 0.5, best_score: 0.5 + gain, worst_score: 0.4 };
  const rest = { prompts: 9, samples_per_prompt: 8, within_prompt_correlation: null, verdict: "" };
  return { ...rest, ...scores, gain, gain_stderr };
}

const verdictOf = (evidence: Partial<Evidence>) => judge({ ...SOUND, ...evidence }).verdict;

Deno.test("with a checker, the gain of the best response decides alone, at two standard errors", () => {
  assertEquals(verdictOf({ preflight: preflight(0.05, 0.02) }), "helps");
  assertEquals(verdictOf({ preflight: preflight(0.04, 0.02) }), "no signal");
  assertEquals(verdictOf({ preflight: preflight(-0.05, 0.02) }), "harms");
  assertEquals(verdictOf({ preflight: preflight(0, 0) }), "no signal");
  assertEquals(verdictOf({ preflight: preflight(0.05, 0.02), repeatShare: 0.9 }), "helps");
  assertEquals(verdictOf({ preflight: preflight(0.05, 0.02), preference: PREFERENCE }), "helps");
  assertEquals(verdictOf({ preflight: preflight(-0.05, 0.02), preference: PREFERENCE }), "harms");
});

Deno.test("without a checker, a measure out of its range decides", () => {
  assertEquals(verdictOf({}), "helps");
  assertEquals(verdictOf({ repeatShare: 0.7 }), "harms");
  assertEquals(verdictOf({ repeatShare: 0.7, baseWeight: 0.3 }), "helps");
  assertEquals(verdictOf({ diagnosis: { ...DIAGNOSIS, reliability: 0.4 } }), "no signal");
  assertEquals(verdictOf({ diagnosis: { ...DIAGNOSIS, reliability: null } }), "helps", "one member");
  assertEquals(verdictOf({ sft: { floor_share: 0.5 } }), "no signal");
  assertEquals(verdictOf({ sft: { floor_share: 0.5 }, baseWeight: 0.3, repeatShare: 0.7 }), "helps");
  assertEquals(verdictOf({ preference: PREFERENCE }), "no signal");
  assertEquals(verdictOf({ preference: { ...PREFERENCE, memorised_share: null } }), "helps");
  assert(
    judge({ ...SOUND, repeatShare: 0.7 }).reason.startsWith(
      "Verdict: harms. 70 % of the SFT model's responses",
    ),
  );
});

Deno.test("a reward that is mostly likelihood helps with advice: a lower temperature sharpens too", () => {
  const advice =
    " With base_weight 0.30, PPO mostly sharpens the SFT model: compare it with SFT at a lower temperature.";
  assert(judge({ ...SOUND, repeatShare: 0.7, baseWeight: 0.3 }).reason.endsWith(advice));
  assert(!judge(SOUND).reason.includes("sharpens"));
});

Deno.test("the metrics are the verdict as a number and the measures that are known", () => {
  const found = judgementMetrics(
    judge({ ...SOUND, preference: PREFERENCE, preflight: preflight(-0.5, 0.1) }),
  );
  assertEquals(Object.fromEntries(found.map(({ name, value }) => [name, value])), {
    verdict: -1,
    base_weight: 1,
    floor_share: 0.05,
    reward_spread: 2,
    member_agreement: 0.5,
    reliability: 0.8,
    repeat_share: 0,
    preference: 0.4,
    preference_stderr: 0.02,
    best_of_4_loglik: -2,
    memorised_share: 0.9,
    gain: -0.5,
    gain_stderr: 0.1,
  });
  assertEquals(judgementMetrics(undefined), []);
});
