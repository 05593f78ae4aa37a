/**
 * Rotary frequencies from a Hugging Face config, with the kinds of scaling that stretch a context.
 * Source: transformers 4.57 `modeling_rope_utils.py`.
 * @module
 */
import { DataError } from "@/lib/tensor/errors.ts";
import type { Rope } from "./model.ts";

/** `rope_scaling` (or `rope_parameters`) of a config, as far as it says how to scale. */
export type RopeScaling = Readonly<Record<string, unknown>> | null | undefined;

/** ωᵢ = θ^(−2i/d) for i = 0 … d/2 − 1 (Su et al. 2021, arXiv:2104.09864, §3.2.2). */
function plain(theta: number, dim: number): Float64Array {
  return Float64Array.from({ length: dim / 2 }, (_, i) => theta ** (-2 * i / dim));
}

function number(scaling: Readonly<Record<string, unknown>>, key: string, kind: string): number {
  const value = scaling[key];
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw new DataError(
    `Cannot read rope_scaling as "${kind}" needs a positive number "${key}": it is ${JSON.stringify(value)}`,
  );
}

/** Llama 3's scaling: low frequencies by 1/factor, high ones unchanged, a smooth change between them. */
function llama3(frequencies: Float64Array, scaling: Readonly<Record<string, unknown>>): Float64Array {
  const factor = number(scaling, "factor", "llama3");
  const low = number(scaling, "low_freq_factor", "llama3"),
    high = number(scaling, "high_freq_factor", "llama3");
  const original = number(scaling, "original_max_position_embeddings", "llama3");
  return frequencies.map((frequency) => {
    const turns = original * frequency / (2 * Math.PI); // turns within the original context
    if (turns > high) return frequency;
    if (turns < low) return frequency / factor;
    const smooth = (turns - low) / (high - low);
    return (1 - smooth) * frequency / factor + smooth * frequency;
  });
}

/**
 * The rotation of a model.
 * @param dim rotated dimensions per head, even
 * @throws {DataError} if the kind of scaling is not known or lacks a number
 */
export function ropeFrequencies(theta: number, dim: number, scaling: RopeScaling): Rope {
  const frequencies = plain(theta, dim);
  const kind = scaling?.rope_type ?? scaling?.type ?? "default";
  switch (kind) {
    case "default":
      return { frequencies, attentionFactor: 1 };
    case "linear": {
      const factor = number(scaling!, "factor", "linear");
      return { frequencies: frequencies.map((f) => f / factor), attentionFactor: 1 };
    }
    case "llama3":
      return { frequencies: llama3(frequencies, scaling!), attentionFactor: 1 };
    default:
      throw new DataError(
        `Cannot read rope_scaling as its type must be one of default, linear, llama3: it is ${
          JSON.stringify(kind)
        }`,
      );
  }
}

/** cos and sin of the angles of positions 0 … length − 1: each [length, d/2], row-major. */
export function ropeTables(
  rope: Rope,
  length: number,
): { cos: Float32Array<ArrayBuffer>; sin: Float32Array<ArrayBuffer> } {
  const half = rope.frequencies.length;
  const cos = new Float32Array(length * half), sin = new Float32Array(length * half);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * rope.frequencies[i]!;
      cos[position * half + i] = Math.cos(angle) * rope.attentionFactor;
      sin[position * half + i] = Math.sin(angle) * rope.attentionFactor;
    }
  }
  return { cos, sin };
}
