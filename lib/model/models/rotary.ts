/** The rotation of a config, and the context length that it allows. @module */
import type { z } from "zod";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { addIssue } from "./config_fields.ts";
import type { Rope } from "./model.ts";
import { type RopeContext, ropeFrequencies, ropeKind, type RopeScaling } from "./rope_frequencies.ts";

/** Fields of a config that rotary embedding reads. */
export interface RotaryConfig {
  readonly rope_theta: number;
  readonly rope_scaling?: RopeScaling;
  readonly rope_parameters?: RopeScaling;
  readonly max_position_embeddings: number;
  readonly original_max_position_embeddings?: number | null | undefined;
}

/** Returns θ, which transformers 5 has in `rope_parameters`. */
function thetaOf({ rope_theta: theta }: RotaryConfig, scaling: RopeScaling): number {
  const newer = scaling?.rope_theta ?? theta;
  if (typeof newer === "number" && newer > 0) return newer;
  throw new DataError(`rope_theta must be a positive number, got ${JSON.stringify(newer)}`);
}

/**
 * Returns the rotation of a head.
 * @param dim rotated dimensions
 * @throws {DataError} if the type of scaling is not supported, a number is missing, or two fields contradict
 */
export function ropeOf(config: RotaryConfig, dim: number): Rope {
  const { rope_parameters: newer, rope_scaling: older } = config, scaling = newer ?? older;
  if (newer && older && ropeKind(newer) !== ropeKind(older)) {
    throw new DataError(
      "rope_parameters and rope_scaling must have one type, got " +
        `${JSON.stringify(ropeKind(newer))} and ${JSON.stringify(ropeKind(older))}`,
    );
  }
  const theta = thetaOf(config, scaling);
  const context: RopeContext = {
    maxPositions: config.max_position_embeddings,
    originalMaxPositions: config.original_max_position_embeddings,
  };
  return ropeFrequencies(theta, dim, scaling, context);
}

/**
 * Returns the longest row whose rotation does not depend on its length. Beyond it (`dynamic`, `longrope`), a cache would
 * contain keys that were rotated for shorter rows, and its values would depend on the order of generation. So responses,
 * and with them all training data, end there.
 */
export function contextLengthOf(config: RotaryConfig, ropes: readonly (Rope | null)[]): number {
  const { max_position_embeddings: most, original_max_position_embeddings: original } = config;
  const dependsOnLength = ropes.some((rope) => rope !== null && rope.atLength !== null);
  return dependsOnLength ? Math.min(most, original ?? most) : most;
}

/** Returns the rotated dimensions of a head, ⌊D·share⌋ as in transformers. */
export function rotatedDims(headDim: number, share: number): number {
  return Math.trunc(headDim * share);
}

/** Adds an issue if a rotation needs more dimensions than a head has: their number is rounded up to even. */
export function checkRotated(headDim: number, share: number, context: z.RefinementCtx): void {
  const pairs = Math.ceil(rotatedDims(headDim, share) / 2);
  if (Number.isInteger(headDim) && 2 * pairs > headDim) {
    addIssue(context, "head_dim", `must be even for rotary embedding, got ${headDim}`);
  }
}
