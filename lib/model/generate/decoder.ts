/** What generation needs of the place that computes: a cache of slots, and steps that choose a token for each sequence. @module */
import type { Key } from "@/lib/compute/random/uniform.ts";
import type { Prefill } from "./prefill.ts";
import type { Sampling } from "./sampler.ts";

/** Size and results of a decoder. */
export interface DecoderNeeds {
  /** sequences that fit at the same time */
  readonly slots: number;
  /** tokens of the longest sequence: prompt and response */
  readonly tokens: number;
  /** settings of all sequences; undefined: each has its own */
  readonly sampling: Sampling | undefined;
  /** whether log-probabilities at temperature 1 are needed where sampling differs from that */
  readonly logprobsT1: boolean;
  /** whether the logits are needed */
  readonly logits: boolean;
}

/** A sequence that decodes, in a slot of the cache. */
export interface DecodedSequence {
  readonly sampling: Sampling;
  /** of its random numbers */
  readonly key: Key;
  /** slot of the cache */
  row: number;
  /** number of response tokens so far: the next one is drawn with this random number */
  drawn: number;
  /** id of the next input token */
  next: number;
  /** position of that token in the sequence */
  position: number;
}

/** A chosen token, with its log-probabilities in nats. */
export interface NextToken {
  readonly id: number;
  readonly logprob: number;
  /** at temperature 1 without top-k and top-p; meaningless where it was not requested */
  readonly logprobT1: number;
  /** [V] at temperature 1, where they were requested; the array is reused */
  readonly logits?: Float32Array;
}

/** Decodes with one set of weights at one place. The weights must not change while it is in use. */
export interface Decoder {
  /** Compiles and allocates what is needed, unless it is there. The cache's content is lost. @returns the number of slots */
  prepare(needs: DecoderNeeds): number;
  /** Writes all tokens but the last of every prompt to the cache; the last one is the first input of `step()`. */
  prefill(prompts: readonly Prefill[]): void;
  /** Computes one step and chooses a token for each sequence, in their order. */
  step(sequences: readonly DecodedSequence[]): readonly NextToken[];
  /**
   * Releases the slot of an ended sequence.
   * @param last the last sequence of the list, which takes the place of the ended one in it
   * @returns the slot that is free now
   */
  release(ended: DecodedSequence, last: DecodedSequence): number;
}
