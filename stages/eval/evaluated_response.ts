/** A response with its metrics. @module */
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { SampleRow } from "@/lib/data/contracts/samples.ts";
import type { Nll } from "./judge.ts";

/** A response, the model and the decoding mode that it was sampled with. */
export interface SampledResponse {
  readonly model: string;
  readonly mode: DecodingMode;
  readonly row: RolloutRow;
}

/** A response with its metrics. */
export interface EvaluatedResponse extends SampledResponse {
  /** decoded, without special tokens */
  readonly response: string;
  /** metrics that are averaged over responses */
  readonly metrics: Readonly<Record<string, number>>;
  /** metrics that are averaged over tokens, in nats per token; without those that were not measured or have no token */
  readonly nlls: Readonly<Record<string, Nll>>;
  /** nats per token of the response; undefined without a reward */
  readonly tokenRewards?: Float32Array | undefined;
}

/** Prompts whose responses are stored with the reward of each token: those that the report shows. */
const REWARDED_PROMPTS = 8;

/**
 * Returns rows of `samples@1`: the responses to the first `keptPrompts` prompts (0: all), grouped by prompt.
 * @param promptIds of all prompts, in their order
 * @param options.promptText returns the text of a response's prompt
 */
export function evaluationSamples(
  responses: readonly EvaluatedResponse[],
  promptIds: readonly string[],
  options: {
    readonly keptPrompts: number;
    readonly promptText: (row: RolloutRow) => string;
    /** returns the text of each token of a response */
    readonly tokenTexts: (row: RolloutRow) => readonly string[];
  },
): SampleRow[] {
  const kept = options.keptPrompts === 0 ? promptIds : promptIds.slice(0, options.keptPrompts);
  const byPrompt = Map.groupBy(responses, ({ row }) => row.promptId);
  return kept.flatMap((promptId, at) =>
    (byPrompt.get(promptId) ?? []).map(
      ({ model, mode, row, response, metrics, nlls, tokenRewards }): SampleRow => {
        const tokens = tokenRewards && at < REWARDED_PROMPTS ? options.tokenTexts(row) : undefined;
        return {
          model,
          mode,
          promptId,
          prompt: options.promptText(row),
          response,
          finishReason: row.finishReason,
          scores: JSON.stringify({
            ...metrics,
            ...Object.fromEntries(Object.entries(nlls).map(([metric, { mean }]) => [metric, mean])),
            ...(tokens && { token_rewards: tokens.map((text, t) => [text, rounded(tokenRewards![t]!)]) }),
          }),
        };
      },
    )
  );
}

/** Rounds a reward to what a person reads. */
function rounded(reward: number): number {
  return Math.round(reward * 1e4) / 1e4;
}
