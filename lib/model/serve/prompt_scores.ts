/** Log-probabilities of the tokens of prompts, the most probable tokens at each place, and the distribution after the prompt. @module */
import { tokenLogprob } from "@/lib/compute/autodiff/mod.ts";
import { microBatches, type Sequence, targetsFrom } from "@/lib/model/train/batching.ts";
import type { Work } from "@/lib/model/train/event_loop.ts";
import type { HeadProgram } from "@/lib/model/train/head_program.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { SCORING_BUDGET } from "@/lib/model/train/token_logprobs.ts";
import { type ScoredToken, topTokens } from "./top_tokens.ts";

/** A prompt to score. */
export interface PromptToScore {
  readonly ids: ArrayLike<number>;
  /** number of most probable tokens per place */
  readonly top: number;
  /** called with the log-probabilities [V] of the token after the prompt; the array is reused */
  readonly onLast?: (logprobs: Float32Array) => void;
}

/** Scores of the tokens of a prompt but the first, which nothing predicts. */
export interface PromptScores {
  /** nats, at temperature 1 */
  readonly logprobs: Float32Array;
  readonly top: readonly (readonly ScoredToken[])[];
}

/** log p(every token) in nats. */
const ALL_LOGPROBS: HeadProgram = {
  key: "all_logprobs",
  tokens: { id: "i64" },
  scalars: [],
  trace: ({ projected, tokens }) => ({ tokens: { all: tokenLogprob(projected, tokens.id!).all } }),
};

/**
 * Computes the scores of prompts, as work that yields after every micro-batch. A token's own log-probability and those of the
 * most probable tokens are from one row, so that they compare exactly.
 */
export function* promptScores(network: Network, prompts: readonly PromptToScore[]): Work<PromptScores[]> {
  const size = network.model.vocabSize;
  const scores = prompts.map(({ ids }) => ({
    logprobs: new Float32Array(ids.length - 1),
    top: new Array<readonly ScoredToken[]>(ids.length - 1),
  }));
  // One more token than the prompt has, so that the place after its last token is predicted.
  const sequences = prompts.map(({ ids }): Sequence => ({
    ids: Int32Array.from([...Array.from(ids), 0]),
    targets: targetsFrom(1, ids.length + 1),
  }));
  for (const { batch, positions, targetIds, members } of microBatches(sequences, SCORING_BUDGET)) {
    const places = members.flatMap((member) =>
      Array.from(sequences[member]!.targets, (_, at) => ({ member, at }))
    );
    const onChunk = (start: number, { all }: Readonly<Record<string, Float32Array>>) => {
      for (let i = 0; i * size < all!.length; i++) {
        const { member, at } = places[start + i]!, row = all!.subarray(i * size, (i + 1) * size);
        const { ids, top, onLast } = prompts[member]!;
        if (at === ids.length - 1) {
          onLast?.(row);
          continue;
        }
        scores[member]!.logprobs[at] = row[targetIds[start + i]!]!;
        scores[member]!.top[at] = topTokens(row, top, 0);
      }
    };
    network.run({ batch, positions, program: ALL_LOGPROBS, tokens: { id: targetIds }, onChunk });
    yield;
  }
  return scores;
}
