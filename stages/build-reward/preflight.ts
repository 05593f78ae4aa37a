/**
 * A cheap look ahead, before any PPO: does the reward pick the answers that the checker likes? The best of n answers by
 * reward is compared with the average answer.
 * @module
 */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import type { Checker } from "@/lib/evals/checker.ts";
import { isJsonObject, parseStrictJson } from "@/lib/files/strict_json.ts";
import { correlation, moments, sampleDeviation } from "@/lib/rl/moments.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** What was found. */
export interface Preflight {
  readonly prompts: number;
  readonly samples_per_prompt: number;
  /** mean score of all answers */
  readonly average_score: number;
  /** mean score of each prompt's answer of highest reward */
  readonly best_score: number;
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

/** Compares the best answer by reward with the average one; of equal rewards the first counts. At least one answer. */
export function preflight(answers: readonly RatedAnswer[]): Preflight {
  const prompts = [...Map.groupBy(answers, ({ promptId }) => promptId).values()];
  const perPrompt = prompts.map((own) => ({
    average: meanOf(own.map(({ score }) => score)),
    reward: meanOf(own.map(({ reward }) => reward)),
    best: own.reduce((best, answer) => answer.reward > best.reward ? answer : best).score,
  }));
  const gains = perPrompt.map(({ best, average }) => best - average);
  const average = meanOf(perPrompt.map((p) => p.average)), best = meanOf(perPrompt.map((p) => p.best));
  const centred = prompts.flatMap((own, i) =>
    own.map(({ reward, score }) => [reward - perPrompt[i]!.reward, score - perPrompt[i]!.average] as const)
  );
  const samples = Math.max(...prompts.map((own) => own.length));
  const gain = best - average,
    gainError = gains.length < 2 ? 0 : sampleDeviation(gains) / Math.sqrt(gains.length);
  const found =
    `the answer of highest reward among ${samples} scores ${
      best.toFixed(3)
    } where the average answer scores ` +
    `${average.toFixed(3)}`;
  return {
    prompts: prompts.length,
    samples_per_prompt: samples,
    average_score: average,
    best_score: best,
    gain,
    gain_stderr: gainError,
    within_prompt_correlation: correlation(
      centred.map(([reward]) => reward),
      centred.map(([, score]) => score),
    ),
    verdict: gain > 0
      ? `The reward prefers better answers: ${found}.`
      : `The reward does not prefer better answers, so PPO on it is likely to make the model worse: ${found}. ` +
        "More demonstrations, fewer epochs, several members, a floor and a bound of the end token have helped elsewhere.",
  };
}

/**
 * Scored answers with what the checker says of their texts.
 * @param text of a response, special tokens left out
 * @throws {DataError} if the meta of a prompt is no JSON object, or lacks what the checker needs
 */
export function rateAnswers(
  rows: readonly ScoredRow[],
  { checker, text }: { readonly checker: Checker; readonly text: (ids: Int32Array) => string },
): RatedAnswer[] {
  return rows.map(({ promptId, responseIds, reward, finishReason, meta }) => {
    const input = {
      meta: metaOf(promptId, meta),
      response: text(responseIds),
      ended: finishReason !== "length",
    };
    return { promptId, reward, score: checker(input).score! };
  });
}

function metaOf(promptId: string, meta: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parseStrictJson(meta);
  } catch {
    // Not JSON: refused below, like any other value that is no object.
  }
  if (isJsonObject(value)) return value;
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
