/** Moments of optimizers in a safetensors file: `<prefix>.exp_avg.<parameter>` and `<prefix>.exp_avg_sq.<parameter>`. @module */
import { basename } from "node:path";
import type { GiveFile, HandOver } from "@/lib/files/hand_over.ts";
import { openSafetensors, writeSafetensors } from "@/lib/files/safetensors.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { hostTensor, sameShape } from "@/lib/tensor/tensor.ts";
import type { ParameterVector } from "@/lib/models/parameters.ts";

/** Vectors by the prefix of their tensors' names. */
export type NamedVectors = Readonly<Record<string, ParameterVector>>;

/**
 * Writes every parameter of every vector as `<prefix>.<parameter>`.
 * @param give where the vectors are given away
 */
export function writeVectors(path: string, vectors: NamedVectors, give?: GiveFile): void {
  const tensors = Object.entries(vectors).flatMap(([prefix, vector]) =>
    vector.specs.map(({ name, shape }) => ({
      name: `${prefix}.${name}`,
      tensor: hostTensor("f32", shape, vector.view(name)),
    }))
  );
  writeSafetensors(path, tensors, {}, give && ((content) => give(basename(path), content)));
}

/**
 * Fills vectors from a file of `writeVectors`.
 * @param handOver where to look before the disk
 * @throws {DataError} listing every tensor that is missing or has another shape
 */
export function readVectors(path: string, vectors: NamedVectors, handOver?: HandOver): void {
  using file = openSafetensors(path, handOver);
  const names = new Set(file.names), problems: string[] = [];
  for (const [prefix, vector] of Object.entries(vectors)) {
    for (const { name, shape } of vector.specs) {
      const full = `${prefix}.${name}`;
      if (!names.has(full)) problems.push(`${full} is missing`);
      else if (!sameShape(file.info(full).shape, shape)) {
        problems.push(`${full} is [${file.info(full).shape.join(",")}], not [${shape.join(",")}]`);
      } else file.readFloat32(full, vector.view(name));
    }
  }
  if (problems.length > 0) {
    throw new DataError(
      `Cannot read ${path} as it must hold the state of this model's training: ${
        problems.slice(0, 5).join("; ")
      }`,
      { file: path },
    );
  }
}
