/**
 * A cheap look ahead, before any PPO: does the reward pick the answers that the checker likes? The best of n answers by
 * reward is compared with the average answer.
 * @module
 */
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import type { Checker } from "@/lib/evals/checker.ts";
import { jsonObjectIn } from "@/lib/files/strict_json.ts";
import { moments, sampleDeviation } from "@/lib/rl/moments.ts";
import { correlationWithin } from "@/lib/rl/within_groups.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { preflightVerdict } from "./verdict.ts";

/** What was found. */
export interface Preflight {
  readonly prompts: number;
  readonly samples_per_prompt: number;
  /** mean score of all answers */
  readonly average_score: number;
  /** mean score of each prompt's answer of highest reward */
  readonly best_score: number;
  /** mean score of each prompt's answer of lowest reward */
  readonly worst_score: number;
  /** `best_score` − `average_score` */
  readonly gain: number;
  /** standard error of `gain` over prompts; 0 for one prompt */
  readonly gain_stderr: number;
  /** correlation of reward and score after both are centred per prompt; null where either does not vary */
  readonly within_prompt_correlation: number | null;
  /** one sentence for a person */
  readonly verdict: string;
}

/** An answer's reward (after length normalisation, as PPO is paid) and score. */
export interface RatedAnswer {
  readonly promptId: string;
  readonly reward: number;
  readonly score: number;
}

/**
 * Compares the best and the worst answer by reward with the average one; of equal rewards the first counts. At least one
 * answer.
 */
export function preflight(answers: readonly RatedAnswer[]): Preflight {
  const prompts = [...Map.groupBy(answers, ({ promptId }) => promptId).values()];
  const perPrompt = prompts.map((own) => ({
    average: meanOf(own.map(({ score }) => score)),
    best: own.reduce((best, answer) => answer.reward > best.reward ? answer : best).score,
    worst: own.reduce((worst, answer) => answer.reward < worst.reward ? answer : worst).score,
  }));
  const gains = perPrompt.map(({ best, average }) => best - average);
  const average = meanOf(perPrompt.map((p) => p.average)), best = meanOf(perPrompt.map((p) => p.best));
  const numbers = new Map(prompts.map((own, i) => [own[0]!.promptId, i]));
  const found = {
    prompts: prompts.length,
    samples_per_prompt: Math.max(...prompts.map((own) => own.length)),
    average_score: average,
    best_score: best,
    worst_score: meanOf(perPrompt.map((p) => p.worst)),
    gain: best - average,
    gain_stderr: gains.length < 2 ? 0 : sampleDeviation(gains) / Math.sqrt(gains.length),
    within_prompt_correlation: correlationWithin(
      answers.map(({ reward }) => reward),
      answers.map(({ score }) => score),
      answers.map(({ promptId }) => numbers.get(promptId)!),
    ),
  };
  return { ...found, verdict: preflightVerdict(found) };
}

/** Answers with their rewards and what a checker gave them, in the same order. */
export function rated(rows: readonly ScoredRow[], scores: readonly number[]): RatedAnswer[] {
  return rows.map(({ promptId, reward }, i) => ({ promptId, reward, score: scores[i]! }));
}

/**
 * What the checker gives each answer.
 * @param text of a response, special tokens left out
 * @throws {DataError} if the meta of a prompt is no JSON object, or lacks what the checker needs
 */
export function checkAnswers(
  rows: readonly RolloutRow[],
  { checker, text }: { readonly checker: Checker; readonly text: (ids: Int32Array) => string },
): number[] {
  return rows.map(({ promptId, responseIds, finishReason, meta }) => {
    const response = text(responseIds), ended = finishReason !== "length";
    return checker({ meta: metaOf(promptId, meta), response, ended }).score!;
  });
}

function metaOf(promptId: string, meta: string): Readonly<Record<string, unknown>> {
  const value = jsonObjectIn(meta);
  if (value) return value;
  throw new DataError(
    `Cannot check an answer to prompt "${promptId}" as its meta must be a JSON object: it is ${
      JSON.stringify(meta.slice(0, 80))
    }`,
    { column: "meta" },
  );
}

function meanOf(values: readonly number[]): number {
  return moments([values]).mean;
}
