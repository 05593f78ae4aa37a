/**
 * What `build-reward` finds out about a reward: the calibration on answers of the SFT model and of what members are held
 * against, the preflight with a checker, and what can be said without one. In: models and prompts. Out: figures.
 * @module
 */
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import type { RewardManifest } from "@/lib/contracts/reward_directory.ts";
import type { Checker } from "@/lib/evals/checker.ts";
import { permutation } from "@/lib/random/shuffle.ts";
import { makeKey } from "@/lib/random/uniform.ts";
import type { RewardSources } from "@/lib/reward/reward_model.ts";
import { scoredRows } from "@/lib/reward/scored_rows.ts";
import { answerFigures, type Calibration, checkCalibration } from "./calibrate.ts";
import type { RewardPart, RewardParts } from "./check_models.ts";
import { answersOf, hear, type Heard, type Tryout } from "./hear_answers.ts";
import { checkAnswers, type Preflight, preflight, rated } from "./preflight.ts";

/** A reward at work, and how it is tried. */
export interface Trial extends Tryout {
  readonly sources: RewardSources;
  readonly manifest: RewardManifest;
  readonly parts: RewardParts;
}

/** Prompts of a calibration: a draw of `count` without replacement, in the order of the file. */
export function drawPrompts(prompts: readonly PromptRow[], count: number, seed: number): PromptRow[] {
  const drawn = permutation(prompts.length, makeKey(seed, "calibration")).slice(0, count).sort();
  return Array.from(drawn, (i) => prompts[i]!);
}

/**
 * Rewards of answers of the SFT model and of the base, or of another baseline in its place; with the SFT model's answers.
 * @throws {DataError} if SFT answers earn less than the others, by more than chance
 */
export async function calibrate(
  trial: Trial,
  prompts: readonly PromptRow[],
): Promise<{ readonly calibration: Calibration; readonly heard: Heard }> {
  const { manifest, parts, params, seed, tell, sft } = trial, { baseline = parts.base } = parts;
  const drawn = drawPrompts(prompts, params.calibration_prompts, seed);
  const hearOf = async (part: RewardPart, name: string, averaged: readonly RewardPart[]) => {
    tell(`${name} answers ${drawn.length} prompts`);
    const asked = { name: `calibration/${name}`, prompts: drawn, samples: params.samples_per_prompt };
    return hear(trial, trial.sources, await answersOf(trial, part, asked), averaged);
  };
  const figures = ({ rows, logprobs }: Heard) =>
    answerFigures(scoredRows(rows, logprobs, manifest), manifest);
  const heard = await hearOf(sft, "sft", averagedBy(trial));
  const other = figures(await hearOf(baseline, baseline.role, []));
  const calibration = baseline === parts.base
    ? { sft: figures(heard), base: other }
    : { sft: figures(heard), baseline: other };
  const [member] = manifest.members;
  const { floor, floorBoth, tokenCap, eosBound } = manifest;
  const isPaperReward = manifest.members.length === 1 && member!.digest === sft.digest &&
    [floor, floorBoth ?? null, tokenCap ?? null, eosBound].every((guard) => guard === null);
  checkCalibration(calibration, { isPaperReward });
  return { calibration, heard };
}

/** The models whose agreement is looked at where they are not members themselves. */
function averagedBy({ manifest, parts }: Trial): readonly RewardPart[] {
  return manifest.combine === "soup" ? parts.members : [];
}

/** Answers of the SFT model for a preflight, and what a checker gives them. */
export interface CheckedAnswers {
  readonly rows: Heard["rows"];
  readonly scores: readonly number[];
}

/** Lets the SFT model answer the first prompts several times each, and the checker judge. */
export async function checkedAnswers(
  tryout: Tryout,
  options: {
    readonly prompts: readonly PromptRow[];
    readonly checker: Checker;
    readonly text: (ids: Int32Array) => string;
  },
): Promise<CheckedAnswers> {
  const { params, tell, sft } = tryout, prompts = options.prompts.slice(0, params.preflight_prompts);
  tell(`preflight: sft answers ${prompts.length} prompts ${params.preflight_samples} times`);
  const asked = { name: "preflight", prompts, samples: params.preflight_samples };
  const rows = await answersOf(tryout, sft, asked);
  return { rows, scores: checkAnswers(rows, options) };
}

/** Best and worst answers of the SFT model by reward against its average ones. */
export async function lookAhead(
  trial: Trial,
  { rows, scores }: CheckedAnswers,
): Promise<{ readonly preflight: Preflight; readonly heard: Heard }> {
  const heard = await hear(trial, trial.sources, rows, averagedBy(trial));
  return { preflight: preflight(rated(scoredRows(rows, heard.logprobs, trial.manifest), scores)), heard };
}
