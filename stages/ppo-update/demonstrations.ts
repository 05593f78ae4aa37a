/** Demonstrations beside the rollouts: their supervised loss is added to the policy's (`demo_mix`). @module */
import { readTokens, type TokenRow } from "@/lib/contracts/tokens.ts";
import { permutation } from "@/lib/random/shuffle.ts";
import { makeKey } from "@/lib/random/uniform.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Sequence } from "@/lib/train/batching.ts";
import { SUPERVISED } from "@/lib/train/programs.ts";
import { type Learner, trainingPasses } from "./minibatch.ts";
import type { Params } from "./params.ts";

/** Rows of a file of demonstrations that have a supervised token, and the digest of their tokenizer. */
export interface Demonstrations {
  readonly rows: readonly TokenRow[];
  readonly sequences: readonly Sequence[];
  readonly tokenizerDigest: string;
}

/**
 * Reads demonstrations; rows without a supervised token are left out.
 * @throws {DataError} if it is no `tokens@1` file, or no token is supervised
 */
export function readDemonstrations(path: string): Demonstrations {
  const { rows, tokenizerDigest } = readTokens(path);
  const withTargets = rows.flatMap((row) => {
    const targets: number[] = []; // the first token has no context that predicts it
    for (let t = 1; t < row.inputIds.length; t++) if (row.lossMask[t] === 1) targets.push(t);
    return targets.length > 0 ? [{ row, sequence: { ids: row.inputIds, targets } }] : [];
  });
  if (withTargets.length === 0) {
    throw new DataError(
      `Cannot mix in demonstrations as some token must be supervised: none of ${rows.length} rows of ${path} has one`,
      { file: path, column: "loss_mask" },
    );
  }
  return {
    rows: withTargets.map(({ row }) => row),
    sequences: withTargets.map(({ sequence }) => sequence),
    tokenizerDigest,
  };
}

/** Demonstrations in a shuffled order, pass after pass; which ones an update takes follows from seed and updates made. */
export class DemonstrationStream {
  readonly #sequences: readonly Sequence[];
  readonly #seed: number;
  #pass = -1;
  #order: ArrayLike<number> = [];

  constructor({ sequences }: Demonstrations, seed: number) {
    this.#sequences = sequences;
    this.#seed = seed;
  }

  /** Demonstration number `index` of the endless stream. */
  at(index: number): Sequence {
    const count = this.#sequences.length, pass = Math.floor(index / count);
    if (pass !== this.#pass) {
      this.#pass = pass;
      this.#order = permutation(count, makeKey(this.#seed, "demonstrations", pass));
    }
    return this.#sequences[this.#order[index % count]!]!;
  }

  /**
   * Adds demo_mix times the gradient of the mean supervised loss of the next `minibatch_size` demonstrations.
   * @returns that mean, nats per supervised token
   */
  addGradients({ network, optimizer }: Learner, params: Params): number {
    const { minibatch_size: size, demo_mix } = params, first = optimizer.step * size;
    const sequences = Array.from({ length: size }, (_, i) => this.at(first + i));
    const tokens = sequences.reduce((sum, { targets }) => sum + targets.length, 0);
    const weight = sequences.map(({ targets }) => new Float32Array(targets.length).fill(demo_mix / tokens));
    const passes = trainingPasses({ sequences }, SUPERVISED, { perRow: { weight } }, params);
    const results = passes.map(({ pass }) => network.run(pass));
    return results.reduce((sum, { loss }) => sum + loss, 0) / demo_mix;
  }
}
