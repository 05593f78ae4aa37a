/**
 * Micro-batches of right-padded rows under a token budget. Rows of similar length go together, and lengths are rounded
 * up to a few values, so that padding stays small and few graphs are compiled.
 * @module
 */
import type { TokenBatch } from "./embedding.ts";

/** A token sequence, and which of its tokens count. */
export interface Sequence {
  readonly ids: ArrayLike<number>;
  /** indices of the tokens that are supervised or scored, ascending, each at least 1: token t is predicted at t − 1 */
  readonly targets: ArrayLike<number>;
}

/** Some sequences as one batch. */
export interface MicroBatch {
  readonly batch: TokenBatch;
  /** which sequences, by index; row b holds sequence members[b] */
  readonly members: readonly number[];
  /** positions that predict the targets, in the order of members and targets: indices into [B·T] */
  readonly positions: Int32Array;
  /** ids of the targets, one per position */
  readonly targetIds: Int32Array;
}

/** Rounds a row length up: multiples of 8 to 64, then of 16 to 256, then of 64. */
function bucketOf(length: number): number {
  const step = length <= 64 ? 8 : length <= 256 ? 16 : 64;
  return Math.max(8, Math.ceil(length / step) * step);
}

/** Tokens `from` … end of a sequence as targets. */
export function targetsFrom(from: number, length: number): Int32Array {
  return Int32Array.from({ length: Math.max(0, length - from) }, (_, i) => from + i);
}

/**
 * Groups sequences into micro-batches of at most `tokenBudget` tokens of B·T (one row may exceed it). Which rows meet
 * depends on the sequences alone. A sequence without targets is in none.
 */
export function microBatches(sequences: readonly Sequence[], tokenBudget: number): MicroBatch[] {
  // The last token predicts nothing that is asked for, so it is not fed.
  const fed = sequences.map(({ ids }) => Math.max(1, ids.length - 1));
  const order = fed.map((_, i) => i).filter((i) => sequences[i]!.targets.length > 0).sort((a, b) =>
    fed[b]! - fed[a]! || a - b
  );
  const groups: number[][] = [];
  let current: number[] = [], length = 0;
  for (const i of order) {
    if (current.length === 0 || (current.length + 1) * length > tokenBudget) {
      if (current.length > 0) groups.push(current);
      current = [];
      length = bucketOf(fed[i]!);
    }
    current.push(i);
  }
  if (current.length > 0) groups.push(current);
  return groups.map((members) =>
    pack(sequences, members, bucketOf(Math.max(...members.map((i) => fed[i]!))))
  );
}

function pack(sequences: readonly Sequence[], members: readonly number[], length: number): MicroBatch {
  const rows = members.length, ids = new Int32Array(rows * length);
  const positions: number[] = [], targetIds: number[] = [];
  members.forEach((member, row) => {
    const sequence = sequences[member]!, last = sequence.ids.length - 1;
    for (let t = 0; t < last; t++) ids[row * length + t] = sequence.ids[t]!;
    if (last === 0) ids[row * length] = sequence.ids[0]!;
    for (let k = 0; k < sequence.targets.length; k++) {
      const t = sequence.targets[k]!;
      positions.push(row * length + t - 1);
      targetIds.push(sequence.ids[t]!);
    }
  });
  return {
    batch: { ids, rows, length, lengths: members.map((member) => sequences[member]!.ids.length) },
    members,
    positions: Int32Array.from(positions),
    targetIds: Int32Array.from(targetIds),
  };
}

/** Per-token figures of the sequences, one array per sequence, in the order of a micro-batch's positions. */
export function gatherTokens(micro: MicroBatch, perSequence: readonly ArrayLike<number>[]): Float32Array {
  const out = new Float32Array(micro.positions.length);
  let at = 0;
  for (const member of micro.members) {
    const values = perSequence[member]!;
    for (let k = 0; k < values.length; k++) out[at++] = values[k]!;
  }
  return out;
}

/** The reverse: splits figures per position by sequence, into `out[member]`. */
export function scatterTokens(
  micro: MicroBatch,
  sequences: readonly Sequence[],
  figures: Float32Array,
  out: Float32Array[],
): void {
  let at = 0;
  for (const member of micro.members) {
    const count = sequences[member]!.targets.length;
    out[member] = figures.slice(at, at + count);
    at += count;
  }
}
