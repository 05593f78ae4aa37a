/**
 * What `build-reward` tells about its work. In: the reward and what was found. Out: the object of report.json
 * (snake_case, no times and no paths from outside: equal inputs, equal bytes).
 * @module
 */
import type { RewardManifest } from "@/lib/contracts/reward_directory.ts";
import { type AnswerFigures, type Calibration, calibrationWarnings, heldAgainst } from "./calibrate.ts";
import type { Diagnosis } from "./diagnose.ts";
import type { Choice } from "./pick_checkpoint.ts";
import type { Preflight } from "./preflight.ts";
import { diagnosisSentences, warningsOf } from "./verdict.ts";

/** What was found out; what is undefined was not asked for or could not be. */
export interface Findings {
  readonly calibration?: Calibration | undefined;
  readonly preflight?: Preflight | undefined;
  readonly diagnosis?: Diagnosis | undefined;
  readonly choice?: Choice | undefined;
}

/** The object of report.json. Sentences and warnings are for a person; the warnings are also told while the stage works. */
export function rewardReport(
  { members, base, baseline, combine, soupOf, floor, floorBoth, tokenCap, eosBound, ...rest }: RewardManifest,
  { calibration, preflight, diagnosis, choice }: Findings,
): Readonly<Record<string, unknown>> & { readonly warnings: readonly string[] } {
  return {
    format: "build_reward_report@1",
    members,
    base,
    baseline: baseline ?? null,
    combine,
    soup_of: soupOf ?? null,
    floor,
    floor_both: floorBoth ?? null,
    token_cap: tokenCap ?? null,
    eos_bound: eosBound,
    length_norm: rest.lengthNorm,
    length_target: rest.lengthTarget ?? null,
    eos_ids: rest.eosIds,
    calibration: calibration ?? null,
    preflight: preflight ?? null,
    diagnosis: diagnosis ?? null,
    choice: choice ?? null,
    sentences: [
      ...(choice ? [choice.reason] : []),
      calibration
        ? calibrationSentence(calibration)
        : "There is no calibration: it needs an SFT model and prompts for it and the base to answer.",
      ...(calibration ? endSentence(calibration.sft) : []),
      preflight ? preflight.verdict : "There is no preflight: it needs an SFT model, prompts and a checker.",
      ...(diagnosis ? diagnosisSentences(diagnosis) : []),
    ],
    warnings: [...(calibration ? calibrationWarnings(calibration) : []), ...warningsOf(diagnosis, preflight)],
  };
}

function calibrationSentence(calibration: Calibration): string {
  const { sft } = calibration, { name, figures: other } = heldAgainst(calibration);
  const show = ({ reward_mean: mean, reward_std: std }: AnswerFigures) =>
    `${mean.toFixed(2)} (spread ${std.toFixed(2)})`;
  const correlation = sft.length_correlation;
  return `Answers of the SFT model earn ${show(sft)} nats on average, those of the ${name} ${show(other)}` +
    (correlation === null
      ? "."
      : `; on SFT answers, reward and length correlate by ${correlation.toFixed(2)}.`);
}

function endSentence({ eos_mean: mean, eos_share: share, eos_rate: rate }: AnswerFigures): string[] {
  if (mean === null) return ["No answer of the SFT model ended, so the end token earned nothing."];
  return [
    `${percent(rate)} of the SFT model's answers end; the end token earns ${
      mean.toFixed(2)
    } nats on average, ` +
    `${percent(share)} of all that is paid.`,
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
