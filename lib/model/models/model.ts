/**
 * The interface of a language model: data about its parameters, and pure functions of symbolic values. Training, scoring
 * and generation use no other knowledge of a model. Attention is passed in: training uses causal attention over whole
 * rows, generation attention over a cache.
 * @module
 */
import type { Value } from "@/lib/compute/autodiff/mod.ts";
import type { Shape } from "@/lib/compute/tensor/tensor.ts";
import type { AdaptedMap, LoraConfig } from "./lora/adapter.ts";

/** A weight: its name in Hugging Face checkpoints, and its shape. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  /** of linear maps: [in, out]; all others are [out, in] */
  readonly transposed?: true;
}

/** Weights of one part of a model by the local names that its function uses. */
export type PartParameters = Readonly<Record<string, ParameterSpec>>;

/** Weights of one part as values of a trace. */
export type PartValues = Readonly<Record<string, Value>>;

/** Rotary embedding: the frequency of each pair of dimensions. The first 2·pairs dimensions of a head are rotated. */
export interface Rope {
  /** radians per position, one per pair of rotated dimensions */
  readonly frequencies: Float64Array;
  /** factor on cos and sin (not 1 only for some types of scaling) */
  readonly attentionFactor: number;
  /**
   * Returns the frequencies of a row of `length` tokens, if the scaling depends on the length; null if they are
   * `frequencies` for every row. Rows within the model's context always have `frequencies`.
   */
  readonly atLength: ((length: number) => Float64Array) | null;
}

/** Attention of one layer. */
export interface AttentionSpec {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** factor on q·k */
  readonly scale: number;
  /** c of c·tanh(score / c) on the scaled scores; null: no soft cap */
  readonly softcap: number | null;
  /** number of tokens that a position attends to, including itself; null: all before it */
  readonly window: number | null;
  readonly rope: Rope | null;
}

/** The attention function that a block calls. */
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

/** One decoder block. Blocks of one kind differ only in their weights, so they share compiled graphs. */
export interface Block {
  readonly kind: string;
  readonly attention: AttentionSpec;
  readonly parameters: PartParameters;
}

/** Tensor names in checkpoints that differ from the names of the parameters. */
export interface CheckpointNames {
  /** prefix of the names of the trunk; files of the trunk alone do not have it */
  readonly prefix: string;
  /** tensors that are ignored: buffers, and the output weights if they are tied */
  readonly ignored: readonly RegExp[];
}

/** A causal language model or a critic. */
export interface Model {
  /** config.json as it was read; written back unchanged */
  readonly config: Readonly<Record<string, unknown>>;
  readonly modelType: string;
  /** architecture of a critic of this family in config.json */
  readonly classifierName: string;
  readonly checkpoint: CheckpointNames;
  /** norm weight of the identity, if it is not 1: it is 0 for norms that multiply by 1 + w */
  readonly neutralNorm?: number;
  /** `lm`: logits over the vocabulary; `score`: one number per position (a critic) */
  readonly headKind: "lm" | "score";
  /** weights [C] of a value head beside the output weights; not among the model's parameters */
  readonly valueHead?: ParameterSpec;
  /** low-rank additions to some maps; the other parameters are frozen */
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

/** A low-rank adapter and its base. */
export interface Adapter {
  readonly config: LoraConfig;
  readonly maps: readonly AdaptedMap[];
  /** the model without the additions */
  readonly base: Model;
  /** directory of the base's weights */
  readonly baseDirectory: string;
}

/** Returns all parameters of a model, each once. */
export function parametersOf(model: Model): ParameterSpec[] {
  const all = new Map<string, ParameterSpec>();
  const add = (spec: ParameterSpec) => all.set(spec.name, spec);
  for (const table of model.embeddings) add(table.parameter);
  for (const block of model.blocks) Object.values(block.parameters).forEach(add);
  Object.values(model.head).forEach(add);
  return [...all.values()];
}
