/** Log-probabilities and values per token of many sequences under a fixed network. @module */
import { runSync, type Work } from "./event_loop.ts";
import { microBatches, scatterTokens, type Sequence } from "./batching.ts";
import type { HeadProgram } from "./head_program.ts";
import type { Network } from "./network.ts";
import { LOGPROBS, VALUES } from "./programs.ts";

/**
 * Tokens of a micro-batch without a backward pass. Measured at the quickstart's shape: 1024 is a fifth faster than 4096,
 * because activations stay in the cache and less padding is computed.
 */
export const SCORING_BUDGET = 1024;

/**
 * Returns log p(token | tokens before it) in nats, for the targets of every sequence.
 * @returns one array per sequence, as long as its targets
 */
export function tokenLogprobs(
  network: Network,
  sequences: readonly Sequence[],
  tokenBudget = SCORING_BUDGET,
): Float32Array[] {
  return runSync(perToken(network, sequences, LOGPROBS, "logprob", tokenBudget));
}

/** Returns `tokenLogprobs()` as work that yields after every micro-batch. */
export function tokenLogprobsWork(network: Network, sequences: readonly Sequence[]): Work<Float32Array[]> {
  return perToken(network, sequences, LOGPROBS, "logprob", SCORING_BUDGET);
}

/** Returns a critic's values at the states that predict the targets. */
export function tokenValues(
  network: Network,
  sequences: readonly Sequence[],
  tokenBudget = SCORING_BUDGET,
): Float32Array[] {
  return runSync(perToken(network, sequences, VALUES, "value", tokenBudget));
}

function* perToken(
  network: Network,
  sequences: readonly Sequence[],
  program: HeadProgram,
  output: string,
  tokenBudget: number,
): Work<Float32Array[]> {
  const out: Float32Array[] = sequences.map(() => new Float32Array(0));
  for (const micro of microBatches(sequences, tokenBudget)) {
    const { batch, positions, targetIds } = micro;
    const tokens: Record<string, ArrayLike<number>> = program.tokens.id ? { id: targetIds } : {};
    const result = network.run({ batch, positions, program, tokens });
    scatterTokens(micro, sequences, result.tokens[output]!, out);
    yield;
  }
  return out;
}
