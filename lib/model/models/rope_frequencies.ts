/**
 * Rotary frequencies of a Hugging Face config, with the types of scaling that extend a context.
 * Source: transformers 4.57 `modeling_rope_utils.py`.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Rope } from "./model.ts";

/** `rope_scaling` (or `rope_parameters`) of a config. */
export type RopeScaling = Readonly<Record<string, unknown>> | null | undefined;

/** Lengths that some types of scaling use. */
export interface RopeContext {
  /** `max_position_embeddings` */
  readonly maxPositions: number;
  /** `original_max_position_embeddings` of the config itself, not of `rope_scaling` */
  readonly originalMaxPositions?: number | null | undefined;
}

/** Inputs of a type of scaling. */
interface Source extends RopeContext {
  readonly theta: number;
  readonly dim: number;
  readonly scaling: Readonly<Record<string, unknown>>;
  readonly kind: string;
}

/** ωᵢ = θ^(−2i/d) for 2i < d (Su et al. 2021, arXiv:2104.09864, §3.2.2). An odd d has ⌈d/2⌉ of them, as in transformers. */
function plain(theta: number, dim: number): Float64Array {
  return Float64Array.from({ length: Math.ceil(dim / 2) }, (_, i) => theta ** (-2 * i / dim));
}

function invalid(kind: string, requirement: string, value: unknown): DataError {
  return new DataError(
    `rope_scaling of type "${kind}" must have ${requirement}, got ${JSON.stringify(value)}`,
  );
}

function number({ scaling, kind }: Source, key: string): number {
  const value = optional({ scaling, kind }, key);
  if (value !== undefined) return value;
  throw invalid(kind, `a positive number "${key}"`, scaling[key]);
}

function optional({ scaling, kind }: Pick<Source, "scaling" | "kind">, key: string): number | undefined {
  const value = scaling[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw invalid(kind, `a positive number "${key}"`, value);
}

/** Llama 3's scaling: low frequencies by 1/factor, high ones unchanged, a smooth change between them. */
function llama3(source: Source): Rope {
  const factor = number(source, "factor");
  const low = number(source, "low_freq_factor"), high = number(source, "high_freq_factor");
  const original = number(source, "original_max_position_embeddings");
  const frequencies = plain(source.theta, source.dim).map((frequency) => {
    const turns = original * frequency / (2 * Math.PI); // rotations within the original context
    if (turns > high) return frequency;
    if (turns < low) return frequency / factor;
    const smooth = (turns - low) / (high - low);
    return (1 - smooth) * frequency / factor + smooth * frequency;
  });
  return { frequencies, attentionFactor: 1, atLength: null };
}

/**
 * NTK scaling of rows beyond the context: θ grows by (s·L/M − (s − 1))^(d/(d−2)) for a row of L tokens in a context of M.
 * In transformers L is the padded length of the batch; here it is the length of the row, so that the result does not
 * depend on the batch.
 */
function dynamic(source: Source): Rope {
  const { theta, dim, maxPositions } = source, factor = number(source, "factor");
  const atLength = (length: number) => {
    const stretch = factor * Math.max(length, maxPositions) / maxPositions - (factor - 1);
    return plain(theta * stretch ** (dim / (dim - 2)), dim);
  };
  return { frequencies: plain(theta, dim), attentionFactor: 1, atLength };
}

/** YaRN (Peng et al. 2023, arXiv:2309.00071, §3): between interpolation by 1/factor and none, by rotations in the context. */
function yarn(source: Source): Rope {
  const { theta, dim, scaling } = source, factor = number(source, "factor");
  const original = optional(source, "original_max_position_embeddings") ?? source.maxPositions;
  const fast = optional(source, "beta_fast") ?? 32, slow = optional(source, "beta_slow") ?? 1;
  const round = scaling.truncate === undefined || scaling.truncate === null || scaling.truncate === true;
  // the dimension with so many rotations within the original context
  const dimension = (turns: number) =>
    dim * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
  const first = Math.max(round ? Math.floor(dimension(fast)) : dimension(fast), 0);
  const last = Math.min(round ? Math.ceil(dimension(slow)) : dimension(slow), dim - 1);
  const span = first === last ? 0.001 : last - first;
  const frequencies = plain(theta, dim).map((frequency, i) => {
    const ramp = Math.min(1, Math.max(0, (i - first) / span));
    return ramp * frequency / factor + (1 - ramp) * frequency;
  });
  return { frequencies, attentionFactor: yarnFactor(source, factor), atLength: null };
}

/** Returns the factor on cos and sin: configured, or 0.1·m·ln s + 1, or its ratio for two m (eq. 22 of the paper). */
function yarnFactor(source: Source, factor: number): number {
  const magnitude = (m: number) => factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1;
  const m = optional(source, "mscale"), all = optional(source, "mscale_all_dim");
  return optional(source, "attention_factor") ??
    (m !== undefined && all !== undefined ? magnitude(m) / magnitude(all) : magnitude(1));
}

/** LongRoPE (Ding et al. 2024, arXiv:2402.13753): a factor per frequency, from one list within the original context and another beyond it. */
function longrope(source: Source): Rope {
  const { theta, dim, scaling, kind, maxPositions } = source;
  const original = source.originalMaxPositions ?? maxPositions;
  const factors = (key: string) => {
    const list = scaling[key], count = Math.ceil(dim / 2);
    const fits = Array.isArray(list) && list.length === count &&
      list.every((x) => typeof x === "number" && Number.isFinite(x) && x > 0);
    if (!fits) throw invalid(kind, `a list "${key}" of ${count} positive numbers`, list);
    return list as readonly number[];
  };
  const scaled = (list: readonly number[]) => plain(theta, dim).map((frequency, i) => frequency / list[i]!);
  const [short, long] = [scaled(factors("short_factor")), scaled(factors("long_factor"))];
  const given = optional(source, "attention_factor");
  const factor = given !== undefined
    ? 1
    : source.originalMaxPositions
    ? maxPositions / original
    : number(source, "factor");
  return {
    frequencies: short,
    attentionFactor: given ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))),
    atLength: (length) => length > original ? long : short,
  };
}

const KINDS: Readonly<Record<string, (source: Source) => Rope>> = {
  default: ({ theta, dim }) => ({ frequencies: plain(theta, dim), attentionFactor: 1, atLength: null }),
  linear(source) {
    const factor = number(source, "factor");
    const frequencies = plain(source.theta, source.dim).map((f) => f / factor);
    return { frequencies, attentionFactor: 1, atLength: null };
  },
  dynamic,
  yarn,
  longrope,
  llama3,
};

/** Keys that do not concern scaling: with no other keys, a type is optional. */
const UNSCALED = new Set(["rope_theta", "partial_rotary_factor"]);

/** Returns the type of scaling: `rope_type`, or its older name `type`. @throws {DataError} if they differ */
export function ropeKind(scaling: RopeScaling): unknown {
  const { rope_type: name, type: older } = scaling ?? {};
  if (name !== undefined && older !== undefined && name !== older) {
    throw new DataError(
      `rope_type and type of rope_scaling must be equal, got ${JSON.stringify(name)} and ${
        JSON.stringify(older)
      }`,
    );
  }
  const kind = name ?? older;
  const scaled = Object.keys(scaling ?? {}).filter((key) => !UNSCALED.has(key));
  return kind === undefined && scaled.length === 0 ? "default" : kind;
}

/**
 * Returns the rotation of a model.
 * @param dim rotated dimensions per head
 * @throws {DataError} if the type of scaling is not supported or a number is missing
 */
export function ropeFrequencies(
  theta: number,
  dim: number,
  scaling: RopeScaling,
  context: RopeContext = { maxPositions: 2048 },
): Rope {
  const kind = ropeKind(scaling);
  const make = typeof kind === "string" && Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (make) return make({ ...context, theta, dim, scaling: scaling ?? {}, kind: kind as string });
  throw new DataError(
    `the type of rope_scaling must be one of ${Object.keys(KINDS).join(", ")}, got ${JSON.stringify(kind)}`,
  );
}

/** cos and sin of angles, each [positions, pairs], row-major. */
export interface RopeTables {
  readonly cos: Float32Array<ArrayBuffer>;
  readonly sin: Float32Array<ArrayBuffer>;
}

/** Returns cos and sin of the angles of positions 0 … length − 1 in a row within the model's context. */
export function ropeTables(rope: Rope, length: number): RopeTables {
  const size = length * rope.frequencies.length;
  const tables = { cos: new Float32Array(size), sin: new Float32Array(size) };
  fillRopeTables(rope, rope.frequencies, length, tables, 0);
  return tables;
}

/** Writes cos and sin of the angles of positions 0 … length − 1 into tables, from row `start` on. */
export function fillRopeTables(
  rope: Rope,
  frequencies: Float64Array,
  length: number,
  { cos, sin }: { readonly cos: Float32Array; readonly sin: Float32Array },
  start: number,
): void {
  const pairs = frequencies.length;
  for (let position = 0; position < length; position++) {
    const at = (start + position) * pairs;
    for (let i = 0; i < pairs; i++) {
      const angle = position * frequencies[i]!;
      cos[at + i] = Math.cos(angle) * rope.attentionFactor;
      sin[at + i] = Math.sin(angle) * rope.attentionFactor;
    }
  }
}
