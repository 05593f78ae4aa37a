/**
 * What a language model is to the rest of the project: data about its parameters, and pure functions of symbolic
 * values. Training, scoring and generation run any model through this interface; a family fills it in one file.
 * Attention is a hook: training passes causal attention over whole rows, generation one that reads a cache.
 * @module
 */
import type { Value } from "@/lib/autodiff/mod.ts";
import type { Shape } from "@/lib/tensor/tensor.ts";
import type { Adapter } from "./lora/adapter.ts";

/** A weight: its name in Hugging Face checkpoints, and its shape. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  /** of linear maps: [in, out]; all others are [out, in] */
  readonly transposed?: true;
}

/** Weights of one part of a model by the local names that its function uses. */
export type PartParameters = Readonly<Record<string, ParameterSpec>>;

/** The same, as values of a trace. */
export type PartValues = Readonly<Record<string, Value>>;

/** Rotary embedding: how fast each pair of dimensions turns. The first 2·pairs dimensions of a head are rotated. */
export interface Rope {
  /** radians per position, one per pair of rotated dimensions */
  readonly frequencies: Float64Array;
  /** factor on cos and sin (1 but for some kinds of scaling) */
  readonly attentionFactor: number;
  /**
   * The frequencies of a row of `length` tokens, where the kind of scaling stretches with the row; null where they are
   * `frequencies` for every row. Rows within the model's context have `frequencies` in either case.
   */
  readonly atLength: ((length: number) => Float64Array) | null;
}

/** How queries, keys and values of one layer meet. */
export interface AttentionSpec {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** factor on q·k */
  readonly scale: number;
  /** c of c·tanh(score / c) on the scaled scores; null leaves them as they are */
  readonly softcap: number | null;
  /** tokens that a position sees, itself included; null is all before it */
  readonly window: number | null;
  readonly rope: Rope | null;
}

/** What a block is given besides its weights and its input. */
export interface BlockContext {
  /** q [N,heads·D], k and v [N,kvHeads·D], not yet rotated → [N,heads·D] */
  attend(q: Value, k: Value, v: Value, spec: AttentionSpec): Value;
}

/** x = Σ factor · table[index]: token embeddings, and position embeddings where a family has them. */
export interface EmbeddingTable {
  readonly parameter: ParameterSpec;
  readonly index: "token" | "position";
  readonly factor: number;
}

/** One decoder block. Blocks of one kind differ in their weights only, so they share compiled graphs. */
export interface Block {
  readonly kind: string;
  readonly attention: AttentionSpec;
  readonly parameters: PartParameters;
}

/** How checkpoints of a family may differ from the names of its parameters. */
export interface CheckpointNames {
  /** what the names of the trunk begin with; files of the bare trunk leave it out */
  readonly prefix: string;
  /** tensors that some files hold and that carry nothing: buffers, and the output weights where they are tied */
  readonly ignored: readonly RegExp[];
}

/** A causal language model or a critic. */
export interface Model {
  /** config.json as it was read; written back unchanged */
  readonly config: Readonly<Record<string, unknown>>;
  readonly modelType: string;
  /** the architecture that a critic of this family has in config.json */
  readonly classifierName: string;
  readonly checkpoint: CheckpointNames;
  /** weight of a norm that changes nothing, where it is not 1: norms that multiply by 1 + w have 0 */
  readonly neutralNorm?: number;
  /** `lm`: logits over the vocabulary; `score`: one number per position (a critic) */
  readonly headKind: "lm" | "score";
  /** low-rank additions to some maps; the parameters of the model itself are frozen then */
  readonly adapter?: Adapter;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** longest sequence that the positions allow */
  readonly contextLength: number;
  readonly embeddings: readonly EmbeddingTable[];
  readonly blocks: readonly Block[];
  /** One block: x [N,C] → [N,C]. */
  applyBlock(block: Block, parameters: PartValues, x: Value, context: BlockContext): Value;
  /** Final normalisation and output weights; a tied output names the embedding's parameter. */
  readonly head: PartParameters;
  /** x [n,C] → normalised hidden states [n,C] */
  normalise(parameters: PartValues, x: Value): Value;
  /** normalised [n,C] → logits [n,V] (`lm`) or values [n,1] (`score`) */
  project(parameters: PartValues, hidden: Value): Value;
}

/** All parameters of a model, each once. */
export function parametersOf(model: Model): ParameterSpec[] {
  const all = new Map<string, ParameterSpec>();
  const add = (spec: ParameterSpec) => all.set(spec.name, spec);
  for (const table of model.embeddings) add(table.parameter);
  for (const block of model.blocks) Object.values(block.parameters).forEach(add);
  Object.values(model.head).forEach(add);
  return [...all.values()];
}
