/** What is generated, and how. @module */
import type { Sampling } from "./sampler.ts";

/** A prompt to generate a response to. */
export interface GenerationPrompt {
  /** the random numbers of the response follow from it and the seed: unique among the prompts of a seed */
  readonly id: string;
  readonly ids: Int32Array;
  /** given first tokens of the response; generation continues after them as if they had been drawn */
  readonly begun?: Int32Array;
}

/** What to generate, and how. */
export interface GenerationOptions {
  readonly prompts: readonly GenerationPrompt[];
  readonly sampling: Sampling;
  readonly maxNewTokens: number;
  /** any of these ends a response and is part of it; empty: only the length limit ends it */
  readonly eosIds: readonly number[];
  readonly seed: number;
  /** sequences that are generated at the same time */
  readonly batchSize: number;
  /** also return log-probabilities at temperature 1, without top-k and top-p, where sampling differs from that */
  readonly logprobsT1?: boolean;
  /** called with every token that is not an end token; true ends the response after it, with the finish reason `stop` */
  readonly onToken?: ((prompt: number, id: number) => boolean) | undefined;
  /** called with the logits [V] of every step before its token is appended; the array is reused */
  readonly onLogits?: (prompt: number, position: number, logits: Float32Array) => void;
  /** called after every step with the number of tokens so far; may throw to stop */
  readonly onStep?: ((tokens: number, finished: number) => void) | undefined;
}

/** A response; log-probabilities of given tokens (`begun`) are 0. */
export interface Generated {
  /** with the end token where one was emitted */
  readonly responseIds: Int32Array;
  /** nats, under the distribution that was sampled from */
  readonly logprobs: Float32Array;
  /** nats, at temperature 1 without top-k and top-p; undefined where equal to `logprobs` or not requested */
  readonly logprobsT1: Float32Array | undefined;
  readonly finishReason: "eos" | "length" | "stop";
}
