/**
 * The golden of a model family as typed values: rows of tokens, and the results of another implementation.
 * @module
 */
import { join } from "node:path";
import { openSafetensors, type SafetensorsFile } from "@/lib/data/files/safetensors.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Sequence } from "@/lib/model/train/batching.ts";

/** Right-padded rows of the golden batch. */
export interface GoldenBatch {
  /** B */
  readonly rows: number;
  /** T, padding included */
  readonly length: number;
  /** [B·T] */
  readonly ids: Int32Array;
  /** tokens of each row without its padding */
  readonly lengths: readonly number[];
  /** rows without padding; all tokens but the first are targets */
  readonly scored: readonly Sequence[];
  /** rows without padding; the supervised tokens are targets */
  readonly supervised: readonly Sequence[];
}

/** A greedy continuation of one prompt. */
export interface GreedyGolden {
  /** without padding */
  readonly prompt: Int32Array;
  /** one per step; an EOS token does not end it */
  readonly ids: Int32Array;
  /** gap between the two largest logits of each step */
  readonly margins: Float32Array;
  /** [steps·V] */
  readonly logits: Float32Array;
}

/** The golden.safetensors of a family. Dispose of it to close the file. */
export interface FamilyGolden extends Disposable {
  /** the rows that logits, loss and gradients belong to */
  readonly batch: GoldenBatch;
  /** in the order of their numbers; none where decoding is ambiguous */
  readonly greedy: readonly GreedyGolden[];
  /** names of all tensors */
  readonly names: readonly string[];
  /** returns a tensor of floats as f32 */
  floats(name: string): Float32Array;
  /** returns a tensor of i32 */
  ints(name: string): Int32Array;
}

/**
 * Opens the golden of a family's directory.
 * @throws {DataError} if a tensor of the batch is missing or of another shape
 */
export function openFamilyGolden(directory: string): FamilyGolden {
  const file = openSafetensors(join(directory, "golden.safetensors"));
  try {
    const ints = (name: string) => intsOf(file, name);
    const floats = (name: string) => file.readFloat32(name);
    const starts = file.names.flatMap((name) => /^greedy\.(\d+)\.prompt$/.exec(name)?.[1] ?? []).sort();
    return {
      batch: batchOf(file),
      greedy: starts.map((j) => ({
        prompt: ints(`greedy.${j}.prompt`),
        ids: ints(`greedy.${j}.ids`),
        margins: floats(`greedy.${j}.margin`),
        logits: floats(`greedy.${j}.logits`),
      })),
      names: file.names,
      floats,
      ints,
      [Symbol.dispose]: () => file[Symbol.dispose](),
    };
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

function intsOf(file: SafetensorsFile, name: string): Int32Array {
  const { dtype, data } = file.read(name);
  if (dtype === "i32") return data as Int32Array;
  throw new DataError(`${file.path}: ${name} must be i32, got ${dtype}`, {
    file: file.path,
  });
}

function batchOf(file: SafetensorsFile): GoldenBatch {
  const { shape } = file.info("input_ids"), [rows = 0, length = 0] = shape;
  const ids = intsOf(file, "input_ids");
  const mask = intsOf(file, "attention_mask"), labels = intsOf(file, "labels_mask");
  if (shape.length !== 2 || mask.length !== ids.length || labels.length !== ids.length) {
    throw new DataError(
      `${file.path}: input_ids, attention_mask and labels_mask must have shape [rows, tokens], got ` +
        ["input_ids", "attention_mask", "labels_mask"].map((n) => `[${file.info(n).shape.join(",")}]`).join(
          ", ",
        ),
      { file: file.path },
    );
  }
  const lengths = Array.from({ length: rows }, (_, b) => {
    const row = mask.subarray(b * length, (b + 1) * length), counted = row.lastIndexOf(1) + 1;
    if (row.subarray(0, counted).includes(0)) {
      throw new DataError(
        `${file.path}: rows must be right-padded, but attention_mask of row ${b} has a 0 before a 1`,
        { file: file.path, row: b },
      );
    }
    return counted;
  });
  const sequences = (counts: (b: number, t: number) => boolean) =>
    lengths.map((n, b): Sequence => ({
      ids: ids.subarray(b * length, b * length + n),
      targets: Array.from({ length: n }, (_, t) => t).filter((t) => t > 0 && counts(b, t)),
    }));
  return {
    rows,
    length,
    ids,
    lengths,
    scored: sequences(() => true),
    supervised: sequences((b, t) => labels[b * length + t] === 1),
  };
}
