/** The rotation that a config describes, and how far rows may reach under it. @module */
import type { z } from "zod";
import { DataError } from "@/lib/tensor/errors.ts";
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

/** θ, which transformers 5 has in `rope_parameters`. */
function thetaOf({ rope_theta: theta }: RotaryConfig, scaling: RopeScaling): number {
  const newer = scaling?.rope_theta ?? theta;
  if (typeof newer === "number" && newer > 0) return newer;
  throw new DataError(
    `Cannot read rope_parameters as rope_theta must be a positive number: it is ${JSON.stringify(newer)}`,
  );
}

/**
 * The rotation of a head.
 * @param dim rotated dimensions
 * @throws {DataError} if the kind of scaling is not known, lacks a number, or is said twice in two ways
 */
export function ropeOf(config: RotaryConfig, dim: number): Rope {
  const { rope_parameters: newer, rope_scaling: older } = config, scaling = newer ?? older;
  if (newer && older && ropeKind(newer) !== ropeKind(older)) {
    throw new DataError(
      "Cannot read rope_parameters and rope_scaling as their types must not differ: they are " +
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
 * The longest row whose rotation does not depend on its length. Where it does (`dynamic`, `longrope`), a cache beyond
 * that would hold keys that were rotated for shorter rows, and what it then means depends on how it came about:
 * generation, and with it everything that is trained on, ends there.
 */
export function contextLengthOf(config: RotaryConfig, ropes: readonly (Rope | null)[]): number {
  const { max_position_embeddings: most, original_max_position_embeddings: original } = config;
  const isStretched = ropes.some((rope) => rope !== null && rope.atLength !== null);
  return isStretched ? Math.min(most, original ?? most) : most;
}

/** Dimensions of a head that a partial rotation reads: ⌊D·factor⌋, as transformers rounds. */
export function rotatedDims(headDim: number, factor: number): number {
  return Math.trunc(headDim * factor);
}

/** Adds an issue where a rotation would need more dimensions than a head has: an odd number of them is rounded up. */
export function checkRotated(headDim: number, factor: number, context: z.RefinementCtx): void {
  const pairs = Math.ceil(rotatedDims(headDim, factor) / 2);
  if (Number.isInteger(headDim) && 2 * pairs > headDim) {
    const message = `must be even for rotary embedding: ${headDim}`;
    context.addIssue({ code: "custom", path: ["head_dim"], message });
  }
}
