/**
 * What `build-reward` finds out about a reward once its models are in place: the calibration on answers of the SFT model
 * and of the base, and the preflight with a checker. In: a reward and prompts. Out: figures, or why there are none.
 * @module
 */
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import type { Checker } from "@/lib/evals/checker.ts";
import { permutation } from "@/lib/random/shuffle.ts";
import { makeKey } from "@/lib/random/uniform.ts";
import { frozenNetwork } from "@/lib/reward/frozen_networks.ts";
import type { RewardModel } from "@/lib/reward/reward_model.ts";
import { type AnswerRequest, sampleAnswers } from "./answers.ts";
import { answerFigures, type Calibration, checkCalibration } from "./calibrate.ts";
import type { RewardPart, RewardParts } from "./check_models.ts";
import type { Params } from "./params.ts";
import { type Preflight, preflight, rateAnswers } from "./preflight.ts";

/** A reward at work, and how it is tried. */
export interface Trial {
  readonly reward: RewardModel;
  readonly parts: RewardParts;
  readonly params: Params;
  readonly seed: number;
  /** tells what is being done */
  readonly tell: (message: string) => void;
  /** awaited now and then; may throw to stop */
  readonly pause: () => Promise<void>;
}

/** Prompts of a calibration: a draw of `count` without replacement, in the order of the file. */
export function drawPrompts(prompts: readonly PromptRow[], count: number, seed: number): PromptRow[] {
  const drawn = permutation(prompts.length, makeKey(seed, "calibration")).slice(0, count).sort();
  return Array.from(drawn, (i) => prompts[i]!);
}

/**
 * Rewards of answers of the SFT model and of the base.
 * @throws {DataError} if SFT answers do not earn more than base answers
 */
export async function calibrate(
  trial: Trial,
  sft: RewardPart,
  prompts: readonly PromptRow[],
): Promise<Calibration> {
  const { reward, parts, params, seed, tell } = trial, { manifest } = reward;
  const drawn = drawPrompts(prompts, params.calibration_prompts, seed);
  const figuresOf = async (part: RewardPart, name: string) => {
    tell(`${name} answers ${drawn.length} prompts`);
    const request = requestOf(trial, {
      name: `calibration/${name}`,
      prompts: drawn,
      samples: params.samples_per_prompt,
    });
    const answers = await sampleAnswers(frozenNetwork(part.path, part.digest), request);
    return answerFigures(await scored(trial, sft, answers), manifest);
  };
  const calibration = { sft: await figuresOf(sft, "sft"), base: await figuresOf(parts.base, "base") };
  const [member] = manifest.members;
  const isPaperReward = manifest.members.length === 1 && member!.digest === sft.digest &&
    manifest.floor === null &&
    manifest.eosBound === null;
  checkCalibration(calibration, { isPaperReward });
  return calibration;
}

/** Best answers of the SFT model by reward against its average ones. */
export async function lookAhead(
  trial: Trial,
  sft: RewardPart,
  options: {
    readonly prompts: readonly PromptRow[];
    readonly checker: Checker;
    readonly text: (ids: Int32Array) => string;
  },
): Promise<Preflight> {
  const { params, tell } = trial;
  const prompts = options.prompts.slice(0, params.preflight_prompts);
  tell(`preflight: sft answers ${prompts.length} prompts ${params.preflight_samples} times`);
  const request = requestOf(trial, { name: "preflight", prompts, samples: params.preflight_samples });
  const answers = await sampleAnswers(frozenNetwork(sft.path, sft.digest), request);
  const result = preflight(rateAnswers(await scored(trial, sft, answers), options));
  tell(result.verdict);
  return result;
}

function requestOf(
  { params, seed, pause, reward }: Trial,
  asked: Pick<AnswerRequest, "name" | "prompts" | "samples">,
): AnswerRequest {
  const { max_new_tokens: maxNewTokens, batch_size: batchSize } = params;
  return { ...asked, maxNewTokens, batchSize, eosIds: reward.manifest.eosIds, seed, pause };
}

/** Answers that go through the models in one go; between goes a stop is heard. */
const ROWS_PER_GO = 4096;

async function scored(
  { reward, pause }: Trial,
  sft: RewardPart,
  rows: readonly RolloutRow[],
): Promise<ScoredRow[]> {
  const out: ScoredRow[] = [];
  for (let start = 0; start < rows.length; start += ROWS_PER_GO) {
    out.push(...reward.score(rows.slice(start, start + ROWS_PER_GO), sft, sft.bosId));
    await pause();
  }
  return out;
}
