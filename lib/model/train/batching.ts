/**
 * Micro-batches of right-padded rows within a token budget. Rows of similar length share a batch, and lengths are rounded
 * up to a few values, so that there is little padding and few graphs are compiled.
 * @module
 */
import type { TokenBatch } from "./embedding.ts";

/** A token sequence, and which of its tokens are supervised or scored. */
export interface Sequence {
  readonly ids: ArrayLike<number>;
  /** indices of these tokens, ascending, each at least 1: token t is predicted at t − 1 */
  readonly targets: ArrayLike<number>;
}

/** Some sequences as one batch. */
export interface MicroBatch {
  readonly batch: TokenBatch;
  /** indices of the sequences; row b holds sequence members[b] */
  readonly members: readonly number[];
  /** positions that predict the targets, as indices into [B·T], in the order of members and targets */
  readonly positions: Int32Array;
  /** ids of the targets, one per position */
  readonly targetIds: Int32Array;
}

/** Rounds a row length up to a multiple of 8 (up to 64), 16 (up to 256) or 64. */
function bucketOf(length: number): number {
  const step = length <= 64 ? 8 : length <= 256 ? 16 : 64;
  return Math.max(8, Math.ceil(length / step) * step);
}

/** Returns tokens `from` … end of a sequence as targets. */
export function targetsFrom(from: number, length: number): Int32Array {
  return Int32Array.from({ length: Math.max(0, length - from) }, (_, i) => from + i);
}

/**
 * Groups sequences into micro-batches of at most `tokenBudget` tokens of B·T (one row may exceed it). The groups depend
 * on the lengths of the sequences only. Sequences without targets are left out.
 */
export function microBatches(sequences: readonly Sequence[], tokenBudget: number): MicroBatch[] {
  // The last token predicts no target, so it is not an input.
  const lengths = sequences.map(({ ids }) => Math.max(1, ids.length - 1));
  const order = lengths.map((_, i) => i).filter((i) => sequences[i]!.targets.length > 0).sort((a, b) =>
    lengths[b]! - lengths[a]! || a - b
  );
  const groups: number[][] = [];
  let length = 0;
  for (const i of order) {
    const group = groups.at(-1);
    if (group && (group.length + 1) * length <= tokenBudget) group.push(i);
    else {
      groups.push([i]);
      length = bucketOf(lengths[i]!);
    }
  }
  return groups.map((members) => pack(sequences, members, bucketOf(lengths[members[0]!]!))); // the longest is first
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

/** Returns per-token values of the sequences (one array each) in the order of a micro-batch's positions. */
export function gatherTokens(micro: MicroBatch, perSequence: readonly ArrayLike<number>[]): Float32Array {
  const out = new Float32Array(micro.positions.length);
  let at = 0;
  for (const member of micro.members) {
    const values = perSequence[member]!;
    for (let k = 0; k < values.length; k++) out[at++] = values[k]!;
  }
  return out;
}

/** Reverses `gatherTokens()`: writes the values of each sequence to `out[member]`. */
export function scatterTokens(
  micro: MicroBatch,
  sequences: readonly Sequence[],
  values: Float32Array,
  out: Float32Array[],
): void {
  let at = 0;
  for (const member of micro.members) {
    const count = sequences[member]!.targets.length;
    out[member] = values.slice(at, at + count);
    at += count;
  }
}
