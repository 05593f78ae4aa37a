/** What a generator needs of the place that computes: a cache of slots, and steps that choose a token for each sequence. @module */
import type { Key } from "@/lib/compute/random/uniform.ts";
import type { GenerationOptions } from "./generation_options.ts";
import type { Prefill } from "./prefill.ts";

/** A sequence that is generated, in a slot of the cache. */
export interface DecodedSequence {
  /** index of its prompt */
  readonly prompt: number;
  /** of its random numbers */
  readonly key: Key;
  /** slot of the cache */
  row: number;
  /** response so far */
  readonly ids: number[];
  /** id of the next input token */
  next: number;
  /** position of that token in the sequence */
  position: number;
}

/** A chosen token, with its log-probabilities in nats. */
export interface NextToken {
  readonly id: number;
  readonly logprob: number;
  /** at temperature 1 without top-k and top-p; `logprob` where it was not requested */
  readonly logprobT1: number;
}

/** Decodes at one place. */
export interface Decoder {
  /** Compiles and allocates what `options` need; returns the number of slots. */
  prepare(options: GenerationOptions): number;
  /** Writes all tokens but the last of every prompt to the cache. */
  prefill(prompts: readonly Prefill[]): void;
  /** Computes one step and chooses a token for each sequence, in their order. */
  step(sequences: readonly DecodedSequence[], options: GenerationOptions): readonly NextToken[];
  /**
   * Releases the slot of an ended sequence.
   * @param last the last sequence of the list, which takes the place of the ended one in it
   * @returns the slot that is free now
   */
  release(ended: DecodedSequence, last: DecodedSequence): number;
}
