/** Parameters in safetensors files: writing them, and checking what a file contains. @module */
import { basename } from "node:path";
import type { GiveFile } from "@/lib/data/files/hand_over.ts";
import { writeSafetensors } from "@/lib/data/files/safetensors.ts";
import { hostTensor, sameShape, type Shape } from "@/lib/compute/tensor/tensor.ts";
import type { ParameterSpec } from "./model.ts";

/**
 * Writes parameters as f32.
 * @param view returns the elements of a parameter
 * @param give called to hand the file over in memory instead of writing it
 */
export function writeWeights(
  path: string,
  specs: readonly ParameterSpec[],
  view: (name: string) => Float32Array<ArrayBuffer>,
  give: GiveFile | undefined,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): void {
  const tensors = specs.map(({ name, shape }) => ({ name, tensor: hostTensor("f32", shape, view(name)) }));
  writeSafetensors(path, tensors, metadata, give && ((content) => give(basename(path), content)));
}

/**
 * Returns a sentence for every parameter that is missing or has another shape.
 * @param shapeOf returns the shape of a stored tensor; undefined if there is none
 */
export function weightProblems(
  specs: readonly ParameterSpec[],
  shapeOf: (name: string) => Shape | undefined,
): string[] {
  return specs.flatMap(({ name, shape }) => {
    const found = shapeOf(name);
    if (found === undefined) return [`${name} is missing`];
    return sameShape(found, shape)
      ? []
      : [`${name} must have shape [${shape.join(",")}], got [${found.join(",")}]`];
  });
}
