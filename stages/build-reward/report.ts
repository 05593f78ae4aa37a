/**
 * Makes the report of `build-reward`. In: the reward and its statistics. Out: the object of report.json (snake_case, without times
 * and external paths: equal inputs, equal bytes).
 * @module
 */
import { NEW_KEYS, rewardKeys, type RewardManifest } from "@/lib/data/contracts/reward_directory.ts";
import { baselineOf, type Calibration, calibrationWarnings, type ResponseStatistics } from "./calibrate.ts";
import type { Diagnosis } from "./diagnose.ts";
import { type Preference, RANDOM_BEST_OF_4 } from "./held_out.ts";
import type { Judgement } from "./judge.ts";
import type { Choice } from "./pick_checkpoint.ts";
import type { Preflight } from "./preflight.ts";
import { diagnosisSentences, percent, rewardWarnings } from "./verdict.ts";

/** What was measured; undefined if it was not requested or not possible. */
export interface Findings {
  readonly calibration?: Calibration | undefined;
  /** the calibration with base_weight 1; undefined: `calibration` */
  readonly ratio?: Calibration | undefined;
  readonly preflight?: Preflight | undefined;
  readonly diagnosis?: Diagnosis | undefined;
  readonly preference?: Preference | undefined;
  readonly judgement?: Judgement | undefined;
  readonly choice?: Choice | undefined;
}

/** Returns the object of report.json. The warnings are also shown while the stage runs. */
export function rewardReport(
  manifest: RewardManifest,
  { calibration, ratio = calibration, preflight, diagnosis, preference, judgement, choice }: Findings,
): Readonly<Record<string, unknown>> & { readonly warnings: readonly string[] } {
  return {
    format: "build_reward_report@2",
    ...Object.fromEntries(NEW_KEYS.map((key) => [key, null])),
    ...rewardKeys(manifest),
    calibration: calibration ?? null,
    preflight: preflight ?? null,
    diagnosis: diagnosis ?? null,
    preference: preference ?? null,
    judgement: judgement ?? null,
    choice: choice ?? null,
    sentences: [
      ...(judgement ? [judgement.reason] : []),
      ...(choice ? [choice.reason] : []),
      ...(calibration
        ? calibrationSentences(calibration)
        : ["No calibration: it requires the inputs sft and prompts."]),
      preflight ? preflight.verdict : "No preflight: it requires the input sft, prompts and a checker.",
      ...(diagnosis ? diagnosisSentences(diagnosis) : []),
      ...(preference ? [preferenceSentence(preference)] : []),
    ],
    warnings: [
      ...(judgement && judgement.verdict !== "helps" ? [judgement.reason] : []),
      ...(ratio ? calibrationWarnings(ratio) : []),
      // The verdict has what the preflight found.
      ...rewardWarnings(diagnosis, judgement ? undefined : preflight),
    ],
  };
}

function preferenceSentence(found: Preference): string {
  const { preference, preference_stderr: error, best_of_4_loglik: change, memorised_share: memorised } =
    found;
  const learned = memorised === null
    ? ""
    : `; ${
      percent(memorised)
    } of what the members learned holds only for demonstrations they were trained on`;
  return `Held-out demonstrations (${found.demonstrations}): ${percent(preference)} ± ${
    percent(error)
  } of SFT responses to the same prompt have a lower reward; best-of-4 by reward changes their log-likelihood by ${
    change.toFixed(2)
  } nats (a random reward: ${RANDOM_BEST_OF_4.toFixed(2)})${learned}.`;
}

function calibrationSentences(calibration: Calibration): string[] {
  const { sft } = calibration, { name, statistics } = baselineOf(calibration);
  const show = ({ reward_mean: mean, reward_std: std }: ResponseStatistics) =>
    `${mean.toFixed(2)} (SD ${std.toFixed(2)})`;
  const { length_correlation: correlation, eos_mean: eosMean } = sft;
  const byLength = correlation === null
    ? ""
    : `; correlation of reward and length on SFT responses: ${correlation.toFixed(2)}`;
  const rewards = `Mean reward in nats: ${show(sft)} on SFT responses, ${
    show(statistics)
  } on ${name} responses`;
  const eos = eosMean === null
    ? "EOS rate of SFT responses: 0 %, so EOS has no reward"
    : `EOS rate of SFT responses: ${percent(sft.eos_rate)}; mean reward of EOS: ${eosMean.toFixed(2)} nats, ${
      percent(sft.eos_share)
    } of Σ |token reward|`;
  return [`${rewards}${byLength}.`, `${eos}.`];
}
