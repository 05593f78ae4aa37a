/**
 * Words the statistics of a reward: verdicts for the report, and warnings to read before PPO. Pure.
 * @module
 */
import type { Diagnosis } from "./diagnose.ts";
import { HELP, isChance, type Preflight } from "./preflight.ts";

/** Reliability below which most of the reward's variance is not shared by the members. */
const RELIABLE = 0.5;
/** Share above which the reward depends mostly on a few tokens, or on EOS. */
const MOST = 0.5;
/** Correlation with length above which the reward is mostly length: 64 % of its variance. */
const MOSTLY_LENGTH = 0.8;

/** Returns the statistics that need no checker, as sentences. */
export function diagnosisSentences(found: Diagnosis): string[] {
  const {
    member_agreement: agreement,
    reliability,
    top_token_share: top,
    eos_spread_share: eos,
    length_correlation: length,
  } = found;
  const parts = [
    ...top === null ? [] : [`top 1 % of tokens by |reward| (without EOS): ${percent(top)} of Σ |reward|`],
    ...eos === null ? [] : [`EOS: ${percent(eos)} of the reward's variance within prompts`],
    ...length === null ? [] : [`correlation of reward and length within prompts: ${length.toFixed(2)}`],
  ].join("; ");
  return [
    agreement === null || reliability === null
      ? "Member agreement is unknown: it requires two members and different responses to one prompt."
      : `Member agreement within prompts (mean correlation): ${agreement.toFixed(2)}; reliability: ${
        percent(reliability)
      } of the reward's variance is shared by the members.`,
    ...parts === "" ? [] : [`${parts[0]!.toUpperCase()}${parts.slice(1)}.`],
  ];
}

/** Returns warnings to read before PPO runs on the reward. */
export function rewardWarnings(diagnosis: Diagnosis | undefined, preflight: Preflight | undefined): string[] {
  const warnings: string[] = [];
  const warn = (holds: boolean, message: string) => {
    if (holds) warnings.push(message);
  };
  if (preflight) {
    const { gain, gain_stderr: error, samples_per_prompt: n } = preflight;
    warn(
      gain <= 0 || isChance(preflight),
      `uninformative reward: selecting the best of ${n} responses by reward changes the mean score by ${
        signedScore(gain)
      } ± ${error.toFixed(3)}`,
    );
  }
  if (!diagnosis) return warnings;
  const { reliability, top_token_share: top, eos_spread_share: eos, length_correlation: length } = diagnosis;
  warn(
    reliability !== null && reliability < RELIABLE,
    `unreliable reward: the members share only ${percent(reliability!)} of its variance. ${HELP}`,
  );
  warn(
    top !== null && top > MOST,
    `the top 1 % of tokens by |reward| account for ${
      percent(top!)
    } of Σ |reward|: set floor, floor_both or token_cap`,
  );
  warn(
    eos !== null && eos > MOST,
    `EOS accounts for ${percent(eos!)} of the reward's variance within prompts: set eos_bound`,
  );
  warn(
    length !== null && Math.abs(length) > MOSTLY_LENGTH,
    `the reward depends mostly on length: correlation ${length?.toFixed(2)} within prompts; set length_norm`,
  );
  return warnings;
}

/** Returns a share as a whole percentage. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

/** Returns a number with its sign and three decimals. */
export function signedScore(x: number): string {
  return `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(3)}`;
}
