/**
 * What the figures of a reward mean, in words: verdicts for the report, and warnings to read before PPO. Pure.
 * @module
 */
import type { Diagnosis } from "./diagnose.ts";
import type { Preflight } from "./preflight.ts";

/** Errors of the gain below which it is called chance. */
const ERRORS = 2;
/** Reliability below which the reward says more about its members' training than about answers. */
const RELIABLE = 0.5;
/** Share above which a few tokens, or the end, carry the reward. */
const MOST = 0.5;
/** Correlation with length above which the reward is mostly length: 64 % of its variance. */
const MOSTLY_LENGTH = 0.8;

const HELP =
  "More demonstrations, fewer epochs, several members, a floor and a bound of the end token have helped elsewhere.";

/** Whether picking by reward raises the score, by more than chance. */
export function preflightVerdict(found: Omit<Preflight, "verdict">): string {
  const { samples_per_prompt: n, best_score: best, worst_score: worst, average_score: average, gain } = found;
  const scores =
    `the answer of highest reward among ${n} scores ${best.toFixed(3)} where the average answer scores ` +
    `${average.toFixed(3)} and that of lowest reward ${worst.toFixed(3)}`;
  if (gain <= 0) {
    return `The reward does not prefer better answers, so PPO on it is likely to make the model worse: ${scores}. ${HELP}`;
  }
  return isChance(found)
    ? `The reward may prefer better answers, by less than ${ERRORS} standard errors: ${scores}.`
    : `The reward prefers better answers: ${scores}.`;
}

function isChance({ gain, gain_stderr: error }: Omit<Preflight, "verdict">): boolean {
  return gain <= ERRORS * error;
}

/** What can be said without a checker. */
export function diagnosisSentences(found: Diagnosis): string[] {
  const {
    member_agreement: agreement,
    reliability,
    top_token_share: top,
    eos_spread_share: end,
    length_correlation: length,
  } = found;
  const parts = [
    top === null
      ? ""
      : `the 1 % of tokens that count most carry ${percent(top)} of what is paid, ends left out`,
    end === null ? "" : `the end token makes ${percent(end)} of what tells answers to one prompt apart`,
    length === null ? "" : `within prompts, reward and length correlate by ${length.toFixed(2)}`,
  ].filter((part) => part !== "");
  return [
    agreement === null || reliability === null
      ? "Nothing is known of how members agree: it takes two, and answers to one prompt that differ."
      : `The members agree by ${agreement.toFixed(2)} on which of two answers to a prompt is better; ${
        percent(reliability)
      } of what the reward prefers is common to them, the rest is what each memorised.`,
    ...(parts.length === 0 ? [] : [`${capital(parts.join("; "))}.`]),
  ];
}

/** What a person should read before PPO runs on the reward. */
export function warningsOf(diagnosis: Diagnosis | undefined, preflight: Preflight | undefined): string[] {
  const warnings: string[] = [];
  if (preflight && (preflight.gain <= 0 || isChance(preflight))) {
    warnings.push(
      `the reward ranks noise: picking the best of ${preflight.samples_per_prompt} answers by it changes the score by ${
        signed(preflight.gain)
      } ± ${preflight.gain_stderr.toFixed(3)}`,
    );
  }
  if (!diagnosis) return warnings;
  const { reliability, top_token_share: top, eos_spread_share: end, length_correlation: length } = diagnosis;
  if (reliability !== null && reliability < RELIABLE) {
    warnings.push(
      `the reward ranks noise more than answers: only ${
        percent(reliability)
      } of what it prefers is common to its members. ${HELP}`,
    );
  }
  if (top !== null && top > MOST) {
    warnings.push(
      `1 % of the tokens carry ${
        percent(top)
      } of the reward: floor, floor_both or token_cap take the pay from them`,
    );
  }
  if (end !== null && end > MOST) {
    warnings.push(
      `the end token makes ${percent(end)} of what tells answers to one prompt apart: eos_bound limits it`,
    );
  }
  if (length !== null && Math.abs(length) > MOSTLY_LENGTH) {
    warnings.push(
      `within prompts the reward is mostly length: they correlate by ${
        length.toFixed(2)
      }; length_norm takes that out`,
    );
  }
  return warnings;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function signed(x: number): string {
  return `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(3)}`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
