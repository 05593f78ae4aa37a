/**
 * Predicts, before any PPO, whether the reward improves the checker's score: compares the best of n responses by reward with the
 * average response.
 * @module
 */
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { moments, sampleDeviation } from "@/lib/model/rl/moments.ts";
import { correlationWithin } from "@/lib/model/rl/within_groups.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

/** Standard errors of the gain that chance explains. */
const ERRORS = 2;
/** What may make a reward informative. */
export const HELP = "Try more demonstrations, fewer SFT epochs, more members, floor, or eos_bound.";

/** Result of a preflight. */
export interface Preflight {
  readonly prompts: number;
  readonly samples_per_prompt: number;
  /** mean score of all responses */
  readonly average_score: number;
  /** mean score of each prompt's response of highest reward */
  readonly best_score: number;
  /** mean score of each prompt's response of lowest reward */
  readonly worst_score: number;
  /** `best_score` − `average_score` */
  readonly gain: number;
  /** standard error of `gain` over prompts; 0 for one prompt */
  readonly gain_stderr: number;
  /** correlation of reward and score after both are centred per prompt; null if either does not vary */
  readonly within_prompt_correlation: number | null;
  /** one sentence */
  readonly verdict: string;
}

/** A response's reward (after length normalisation, as in PPO) and score. */
export interface RatedResponse {
  readonly promptId: string;
  readonly reward: number;
  readonly score: number;
}

/**
 * Compares the best and the worst response by reward with the average one; of equal rewards the first is taken. At least one
 * response.
 */
export function preflight(responses: readonly RatedResponse[]): Preflight {
  const prompts = [...Map.groupBy(responses, ({ promptId }) => promptId).values()];
  const perPrompt = prompts.map((some) => ({
    average: meanOf(some.map(({ score }) => score)),
    best: some.reduce((best, response) => response.reward > best.reward ? response : best).score,
    worst: some.reduce((worst, response) => response.reward < worst.reward ? response : worst).score,
  }));
  const gains = perPrompt.map(({ best, average }) => best - average);
  const average = meanOf(perPrompt.map((p) => p.average)), best = meanOf(perPrompt.map((p) => p.best));
  const numbers = new Map(prompts.map((some, i) => [some[0]!.promptId, i]));
  const found = {
    prompts: prompts.length,
    samples_per_prompt: largest(prompts.map((some) => some.length)),
    average_score: average,
    best_score: best,
    worst_score: meanOf(perPrompt.map((p) => p.worst)),
    gain: best - average,
    gain_stderr: gains.length < 2 ? 0 : sampleDeviation(gains) / Math.sqrt(gains.length),
    within_prompt_correlation: correlationWithin(
      responses.map(({ reward }) => reward),
      responses.map(({ score }) => score),
      responses.map(({ promptId }) => numbers.get(promptId)!),
    ),
  };
  return { ...found, verdict: preflightVerdict(found) };
}

/** Returns whether choosing by reward raises the score by more than chance, as a sentence. */
function preflightVerdict(found: Omit<Preflight, "verdict">): string {
  const { samples_per_prompt: n, best_score: best, worst_score: worst, average_score: average, gain } = found;
  const scores =
    `mean score ${best.toFixed(3)} of the best of ${n} responses by reward, ${average.toFixed(3)} of all ` +
    `responses, ${worst.toFixed(3)} of the worst by reward`;
  if (gain <= 0) return `Uninformative reward: PPO is likely to make the model worse (${scores}). ${HELP}`;
  return isChance(found)
    ? `Possibly uninformative reward: the gain is within ${ERRORS} standard errors (${scores}).`
    : `Informative reward: it ranks better responses higher (${scores}).`;
}

/** Returns whether the gain is explained by chance. */
export function isChance({ gain, gain_stderr: error }: Pick<Preflight, "gain" | "gain_stderr">): boolean {
  return gain <= ERRORS * error;
}

/** Returns the responses with their rewards and scores, in the same order. */
export function rated(rows: readonly ScoredRow[], scores: readonly number[]): RatedResponse[] {
  return rows.map(({ promptId, reward }, i) => ({ promptId, reward, score: scores[i]! }));
}

function meanOf(values: readonly number[]): number {
  return moments([values]).mean;
}
