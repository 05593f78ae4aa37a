/** Log-probabilities and values per token of many sequences under a fixed network. @module */
import { runSync, type Work } from "./event_loop.ts";
import { microBatches, scatterTokens, type Sequence } from "./batching.ts";
import { type HeadProgram, onValueHead } from "./head_program.ts";
import type { Network } from "./network.ts";
import { temperedLogprobsProgram } from "./ppo_programs.ts";
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
  return runSync(perToken(network, sequences, LOGPROBS, ["logprob"], tokenBudget))[0]!;
}

/** Returns `tokenLogprobs()` as work that yields after every micro-batch. */
export function* tokenLogprobsWork(
  network: Network,
  sequences: readonly Sequence[],
): Work<Float32Array[]> {
  return (yield* perToken(network, sequences, LOGPROBS, ["logprob"], SCORING_BUDGET))[0]!;
}

/**
 * Returns log-probabilities as `tokenLogprobsWork()`, at temperature 1 and at a sampling temperature, from one pass.
 * @param temperature above 0
 */
export function* temperedLogprobsWork(
  network: Network,
  sequences: readonly Sequence[],
  temperature: number,
): Work<{ readonly logprobs: Float32Array[]; readonly tempered: Float32Array[] }> {
  const program = temperedLogprobsProgram(temperature), outputs = ["logprobT1", "logprob"] as const;
  const [logprobs, tempered] = yield* perToken(network, sequences, program, outputs, SCORING_BUDGET);
  return { logprobs: logprobs!, tempered: tempered! };
}

/** Returns the values of a critic, or of a language model's value head, at the states that predict the targets. */
export function tokenValues(
  network: Network,
  sequences: readonly Sequence[],
  tokenBudget = SCORING_BUDGET,
): Float32Array[] {
  return runSync(
    perToken(
      network,
      sequences,
      network.model.valueHead ? onValueHead(VALUES) : VALUES,
      ["value"],
      tokenBudget,
    ),
  )[0]!;
}

/** Returns each of the named outputs of a program: one array per sequence, as long as its targets. */
function* perToken(
  network: Network,
  sequences: readonly Sequence[],
  program: HeadProgram,
  outputs: readonly string[],
  tokenBudget: number,
): Work<Float32Array[][]> {
  const found = outputs.map(() => sequences.map((): Float32Array => new Float32Array(0)));
  for (const micro of microBatches(sequences, tokenBudget)) {
    const { batch, positions, targetIds } = micro;
    const tokens: Record<string, ArrayLike<number>> = program.tokens.id ? { id: targetIds } : {};
    const result = network.run({ batch, positions, program, tokens });
    outputs.forEach((output, k) => scatterTokens(micro, sequences, result.tokens[output]!, found[k]!));
    yield;
  }
  return found;
}
