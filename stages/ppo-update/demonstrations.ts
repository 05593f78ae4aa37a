/** Demonstrations whose supervised loss is added to the policy's loss (`demo_mix`). @module */
import { readTokens, type TokenRow } from "@/lib/data/contracts/tokens.ts";
import { permutation } from "@/lib/compute/random/shuffle.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Sequence } from "@/lib/model/train/batching.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import { addGradients, type Learner } from "./minibatch.ts";
import type { Params } from "./params.ts";

/** The rows of a `tokens@1` file that have a supervised token, and the digest of their tokenizer. */
export interface Demonstrations {
  readonly rows: readonly TokenRow[];
  readonly sequences: readonly Sequence[];
  readonly tokenizerDigest: string;
}

/**
 * Reads demonstrations; rows without a supervised token are left out.
 * @throws {DataError} if the file is not `tokens@1`, or no token is supervised
 */
export function readDemonstrationTokens(path: string): Demonstrations {
  const { rows, tokenizerDigest } = readTokens(path);
  const withTargets = rows.flatMap((row) => {
    const targets: number[] = []; // the first token has no context that predicts it
    for (let t = 1; t < row.inputIds.length; t++) if (row.lossMask[t] === 1) targets.push(t);
    return targets.length > 0 ? [{ row, sequence: { ids: row.inputIds, targets } }] : [];
  });
  if (withTargets.length === 0) {
    throw new DataError(
      `${path}: demo_mix requires at least one supervised token, got none in ${rows.length} rows`,
      { file: path, column: "loss_mask" },
    );
  }
  return {
    rows: withTargets.map(({ row }) => row),
    sequences: withTargets.map(({ sequence }) => sequence),
    tokenizerDigest,
  };
}

/** An endless stream of demonstrations in shuffled order, epoch after epoch. An update's share follows from the seed and the updates made. */
export class DemonstrationStream {
  readonly #sequences: readonly Sequence[];
  readonly #seed: number;
  #epoch = -1;
  #order: ArrayLike<number> = [];

  constructor({ sequences }: Demonstrations, seed: number) {
    this.#sequences = sequences;
    this.#seed = seed;
  }

  /** Returns demonstration number `index` of the stream. */
  at(index: number): Sequence {
    const count = this.#sequences.length, epoch = Math.floor(index / count);
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#order = permutation(count, makeKey(this.#seed, "demonstrations", epoch));
    }
    return this.#sequences[this.#order[index % count]!]!;
  }

  /**
   * Adds demo_mix times the gradient of the mean supervised loss of the next `minibatch_size` demonstrations.
   * @returns that mean, nats per supervised token
   */
  addGradients(learner: Learner, params: Params): number {
    const { minibatch_size: size, demo_mix } = params, first = learner.optimizer.step * size;
    const sequences = Array.from({ length: size }, (_, i) => this.at(first + i));
    const tokens = sequences.reduce((sum, { targets }) => sum + targets.length, 0);
    const weight = sequences.map(({ targets }) => new Float32Array(targets.length).fill(demo_mix / tokens));
    const passes = addGradients(learner, SUPERVISED, sequences, { tokens: { weight } }, params);
    return passes.reduce((sum, { loss }) => sum + loss, 0) / demo_mix;
  }
}
