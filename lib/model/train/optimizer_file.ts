/** Moments of optimizers in a safetensors file: `<prefix>.exp_avg.<parameter>` and `<prefix>.exp_avg_sq.<parameter>`. @module */
import type { GiveFile, HandOver } from "@/lib/data/files/hand_over.ts";
import { openSafetensors } from "@/lib/data/files/safetensors.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { weightProblems, writeWeights } from "@/lib/model/models/weight_files.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import type { Shape } from "@/lib/compute/tensor/tensor.ts";

/** Vectors by the prefix of their tensors' names. */
export type NamedVectors = Readonly<Record<string, ParameterVector>>;

/**
 * Writes every parameter of every vector as `<prefix>.<parameter>`.
 * @param give called to hand the file over in memory instead of writing it
 */
export function writeVectors(path: string, vectors: NamedVectors, give?: GiveFile): void {
  const entries = entriesOf(vectors), views = new Map(entries.map(({ name, view }) => [name, view]));
  writeWeights(path, entries, (name) => views.get(name)!, give, {});
}

/**
 * Fills vectors from a file of `writeVectors`.
 * @param handOver files in memory, used instead of those on disk
 * @throws {DataError} listing every tensor that is missing or has another shape
 */
export function readVectors(path: string, vectors: NamedVectors, handOver?: HandOver): void {
  using file = openSafetensors(path, handOver);
  const names = new Set(file.names), entries = entriesOf(vectors);
  const problems = weightProblems(entries, (name) => names.has(name) ? file.info(name).shape : undefined);
  if (problems.length > 0) {
    throw new DataError(`${path}: not the optimizer state of this model: ${listed(problems)}`, {
      file: path,
    });
  }
  for (const { name, view } of entries) file.readFloat32(name, view);
  for (const [prefix, vector] of Object.entries(vectors)) {
    const [first] = vector.specs, part = first && file.borrowFloat32(`${prefix}.${first.name}`);
    vector.origin = part?.buffer;
  }
}

interface Entry {
  readonly name: string;
  readonly shape: Shape;
  readonly view: Float32Array<ArrayBuffer>;
}

function entriesOf(vectors: NamedVectors): Entry[] {
  return Object.entries(vectors).flatMap(([prefix, vector]) =>
    vector.specs.map(({ name, shape }) => ({ name: `${prefix}.${name}`, shape, view: vector.view(name) }))
  );
}
