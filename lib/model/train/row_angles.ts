/**
 * Angles of rotary embedding that depend on the length of a row: filled in for every batch, one table row per token.
 * Models with such a rotation have one of them.
 * @module
 */
import type { Model, Rope } from "@/lib/model/models/model.ts";
import { fillRopeTables } from "@/lib/model/models/rope_frequencies.ts";
import { float32Of, type TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import type { TokenBatch } from "./embedding.ts";
import { workspaceValue } from "./workspace.ts";

/** Tables [B·T, pairs] of one batch shape. */
export interface RowAngles {
  /** graph inputs by name */
  readonly inputs: Readonly<Record<"cos" | "sin", TensorValue>>;
  /** Writes the angles of a batch. */
  fill(batch: TokenBatch): void;
}

/** Returns the rotation of a model that depends on the length of a row; undefined if none does. */
export function stretchedRope(model: Model): Rope | undefined {
  return model.blocks.map(({ attention }) => attention.rope).find((rope) => rope?.atLength) ?? undefined;
}

/** Returns tables for batches of `tokens` tokens; undefined if the model needs none. */
export function rowAngles(model: Model, tokens: number): RowAngles | undefined {
  const rope = stretchedRope(model);
  if (!rope) return undefined;
  const shape = [tokens, rope.frequencies.length];
  const inputs = { cos: workspaceValue("rope.cos", shape), sin: workspaceValue("rope.sin", shape) };
  const tables = { cos: float32Of(inputs.cos), sin: float32Of(inputs.sin) };
  return {
    inputs,
    fill({ rows, length, lengths }) {
      for (let row = 0; row < rows; row++) {
        const frequencies = rope.atLength!(lengths?.[row] ?? length);
        fillRopeTables(rope, frequencies, length, tables, row * length);
      }
    },
  };
}
