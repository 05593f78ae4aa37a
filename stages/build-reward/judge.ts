/**
 * Judges, before any PPO, whether PPO on the reward can help. In: what calibration, preflight and held-out demonstrations have
 * shown. Out: measures, and one verdict in plain words. Pure.
 * @module
 */
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import type { ResponseStatistics } from "./calibrate.ts";
import type { Diagnosis } from "./diagnose.ts";
import type { Preference } from "./held_out.ts";
import type { Preflight } from "./preflight.ts";

/** Whether PPO on a reward can help. */
export type RewardVerdict = "helps" | "no signal" | "harms";

/** Standard errors of the gain that chance explains. */
const ERRORS = 2;
/** Reliability below which most of the reward's variance within prompts is not shared by the members. */
const RELIABLE = 0.5;
/** Share of tokens at or below the floor above which most of a response has no reward. */
const MOSTLY_FLOORED = 0.25;
/** Weight of the base beyond the one that the SFT model's certainty allows (1 − repeat_share) above which the reward harms. */
const EXCESS = 0.25;
/** Share of what members learned that is memorised above which the reward is mostly about seen rows. */
const MEMORISED = 0.75;

/** Weight of the base below which the reward is mostly the members' likelihood. */
const MOSTLY_LIKELIHOOD = 0.75;

/** What is known about a reward; undefined or null where it was not measured. */
export interface Evidence {
  /** w of the reward */
  readonly baseWeight: number;
  /** statistics of SFT responses in the calibration */
  readonly sft: Pick<ResponseStatistics, "floor_share"> | undefined;
  /** share of pairs of SFT responses to one prompt that are equal */
  readonly repeatShare: number | null;
  readonly diagnosis: Diagnosis;
  readonly preference?: Preference | undefined;
  readonly preflight?: Preflight | undefined;
}

/** The verdict, and why. */
export interface Judgement {
  readonly verdict: RewardVerdict;
  /** one sentence */
  readonly reason: string;
  /** measures by name, without those that are unknown */
  readonly measures: Readonly<Record<string, number>>;
}

/**
 * Returns the verdict. With a checker, it follows from the score of the best response by reward alone; without one, from measures whose limits were fixed on development seeds (EXPERIMENTS.md has them, and how often they
 * are right).
 */
export function judge(evidence: Evidence): Judgement {
  const { verdict, reason } = evidence.preflight ? byScore(evidence.preflight) : byMeasures(evidence);
  const { baseWeight: w } = evidence;
  const advice = verdict === "helps" && w < MOSTLY_LIKELIHOOD
    ? ` With base_weight ${
      w.toFixed(2)
    }, PPO mostly sharpens the SFT model: compare it with SFT at a lower temperature.`
    : "";
  return { verdict, reason: `Verdict: ${verdict}. ${reason}${advice}`, measures: measuresOf(evidence) };
}

function byScore(
  { gain, gain_stderr: error, samples_per_prompt: n }: Preflight,
): Omit<Judgement, "measures"> {
  const change = `selecting the best of ${n} SFT responses by reward changes the mean score by ${
    signed(gain)
  } ± ${error.toFixed(3)}`;
  if (gain < -ERRORS * error) {
    return { verdict: "harms", reason: `By the checker, PPO would make the model worse: ${change}.` };
  }
  if (gain <= ERRORS * error) {
    return {
      verdict: "no signal",
      reason: `By the checker, the reward says nothing about the score: ${change}.`,
    };
  }
  return { verdict: "helps", reason: `The checker confirms the reward: ${change}.` };
}

/** Returns "no signal" for a reward that is mostly about demonstrations that its members have seen. */
function byMemory(preference: Preference | undefined): Omit<Judgement, "measures"> | undefined {
  const memorised = preference?.memorised_share ?? null;
  if (memorised === null || memorised <= MEMORISED) return undefined;
  return {
    verdict: "no signal",
    reason: `${
      share(memorised)
    } of what the members have learned holds only for demonstrations they were trained on.`,
  };
}

function share(x: number): string {
  return `${(100 * x).toFixed(0)} %`;
}

/** The rule without a checker: the first problem decides. */
function byMeasures(
  { baseWeight: w, sft, repeatShare, diagnosis, preference }: Evidence,
): Omit<Judgement, "measures"> {
  if (repeatShare !== null && w - (1 - repeatShare) > EXCESS) {
    return {
      verdict: "harms",
      reason:
        `${
          share(repeatShare)
        } of the SFT model's responses to one prompt are equal, so likelihood says which is right, ` +
        `but the reward subtracts the base's log-probability with weight ${
          w.toFixed(2)
        }: set base_weight to auto, or to ${(1 - repeatShare).toFixed(2)}.`,
    };
  }
  if (diagnosis.reliability !== null && diagnosis.reliability < RELIABLE) {
    return {
      verdict: "no signal",
      reason: `The members share only ${share(diagnosis.reliability)} of the reward's variance.`,
    };
  }
  if (sft && w * sft.floor_share > MOSTLY_FLOORED) {
    return {
      verdict: "no signal",
      reason: `${share(sft.floor_share)} of the tokens are at or below the floor.`,
    };
  }
  return byMemory(preference) ??
    { verdict: "helps", reason: "No measure speaks against the reward; a checker would confirm it." };
}

function measuresOf({ baseWeight, sft, repeatShare, diagnosis, preference, preflight }: Evidence) {
  const all: Record<string, number | null | undefined> = {
    base_weight: baseWeight,
    floor_share: sft?.floor_share,
    reward_spread: diagnosis.reward_spread,
    member_agreement: diagnosis.member_agreement,
    reliability: diagnosis.reliability,
    repeat_share: repeatShare,
    preference: preference?.preference,
    preference_stderr: preference?.preference_stderr,
    best_of_4_loglik: preference?.best_of_4_loglik,
    memorised_share: preference?.memorised_share,
    gain: preflight?.gain,
    gain_stderr: preflight?.gain_stderr,
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) =>
      value === null || value === undefined ? [] : [[name, value]]
    ),
  );
}

/** Returns the measures as rows of `metrics@1`, with `verdict`: 1 helps, 0 no signal, −1 harms. Nothing without a judgement. */
export function judgementMetrics(judgement: Judgement | undefined): MetricRow[] {
  if (!judgement) return [];
  const verdict = { helps: 1, "no signal": 0, harms: -1 }[judgement.verdict];
  return Object.entries({ verdict, ...judgement.measures }).map(([name, value]) => ({
    step: 0,
    name,
    value,
  }));
}

function signed(x: number): string {
  return `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(3)}`;
}
