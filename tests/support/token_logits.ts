/**
 * Whole logits, for goldens and for comparing implementations. Training and scoring do not store them: [tokens,
 * vocabulary] is the largest array of a language model.
 * @module
 */
import type { TokenBatch } from "@/lib/model/train/embedding.ts";
import type { HeadProgram } from "@/lib/model/train/head_program.ts";
import type { Network } from "@/lib/model/train/network.ts";

/** The projection itself. */
const LOGITS: HeadProgram = {
  key: "logits",
  tokens: {},
  scalars: [],
  trace: ({ projected }) => ({ tokens: { logits: projected } }),
};

/**
 * Returns the logits at some positions of a batch.
 *
 * @param positions indices into [B·T], ascending
 * @returns f32[positions, V], row-major
 */
export function tokenLogits(network: Network, batch: TokenBatch, positions: Int32Array): Float32Array {
  return network.run({ batch, positions, program: LOGITS, tokens: {} }).tokens.logits!;
}
