/**
 * The shapes that are measured: llama models with random weights, named after their size, and the number of floating point
 * operations of a pass.
 * @module
 */
import { modelFromConfig } from "@/lib/model/models/config.ts";
import { type Model, parametersOf } from "@/lib/model/models/model.ts";
import { ParameterVector } from "@/lib/model/models/parameters.ts";

/** Names of the shapes, small to large. */
export const SHAPE_NAMES = ["quickstart", "3m", "15m", "135m"] as const;

/** A shape's name. */
export type ShapeName = (typeof SHAPE_NAMES)[number];

/** Sizes of a model, and the default batch of a train step. */
export interface BenchShape {
  readonly vocab: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly ffn: number;
  readonly batch: number;
  readonly length: number;
}

/** The shapes; `quickstart` is stories260K's, `135m` SmolLM-135M's. */
export const SHAPES: Readonly<Record<ShapeName, BenchShape>> = {
  quickstart: { vocab: 512, width: 64, layers: 5, heads: 8, kvHeads: 4, ffn: 172, batch: 32, length: 64 },
  "3m": { vocab: 4096, width: 192, layers: 6, heads: 6, kvHeads: 6, ffn: 512, batch: 8, length: 128 },
  "15m": { vocab: 32000, width: 288, layers: 6, heads: 6, kvHeads: 6, ffn: 768, batch: 8, length: 256 },
  "135m": { vocab: 49152, width: 576, layers: 30, heads: 9, kvHeads: 3, ffn: 1536, batch: 4, length: 256 },
};

/** Returns a tied llama of this shape. Its config has no EOS token, so that every response has its full length. */
export function benchModel(shape: BenchShape, contextLength: number): Model {
  return modelFromConfig({
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: shape.vocab,
    hidden_size: shape.width,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    intermediate_size: shape.ffn,
    max_position_embeddings: contextLength,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true,
  });
}

/** Returns the next state of a linear congruential generator over 32 bits (Numerical Recipes, §7.1.5), as an i32. */
function nextState(state: number): number {
  return (Math.imul(state, 1664525) + 1013904223) | 0;
}

/** Fills `data` with numbers uniform in ±0.05; 135 M of them take a fraction of a second. */
export function fillUniform(data: Float32Array, seed: number): void {
  let state = seed | 0;
  for (let i = 0; i < data.length; i++) data[i] = (state = nextState(state)) * (0.05 / 0x80000000);
}

/** Returns random weights of about the size of an initialised model: norms 1, matrices uniform in ±0.05. */
export function randomWeights(model: Model, seed: number): ParameterVector {
  const parameters = new ParameterVector(parametersOf(model));
  const { data, decayed } = parameters;
  fillUniform(data.subarray(0, decayed), seed);
  data.fill(1, decayed);
  return parameters;
}

/** Returns `count` token ids, uniform over the vocabulary. */
export function randomIds(count: number, vocab: number, seed: number): Int32Array {
  let state = seed | 0;
  return Int32Array.from({ length: count }, () => {
    state = nextState(state);
    return (state >>> 8) % vocab; // the low bits of such a generator have short periods
  });
}

/** Size of a pass over right-padded rows. */
export interface PassSize {
  readonly rows: number;
  readonly length: number;
  /** tokens multiplied by the output matrix; default: all; 0 for a critic, whose head is a vector */
  readonly headTokens?: number;
}

/**
 * Returns the floating point operations of a forward pass: 2 per weight and token, and 2·L·T·C per token for causal
 * attention (half of the full scores and weighted sums). With all tokens in the head, three times this is the usual count
 * of a train step: 6·parameters·tokens plus attention.
 */
export function forwardFlops(shape: BenchShape, parameters: number, pass: PassSize): number {
  const tokens = pass.rows * pass.length, head = shape.vocab * shape.width;
  const attention = 2 * shape.layers * pass.length * shape.width * tokens;
  return 2 * (parameters - head) * tokens + 2 * head * (pass.headTokens ?? tokens) + attention;
}

/** Returns the floating point operations of a forward and backward pass. */
export function trainFlops(shape: BenchShape, parameters: number, pass: PassSize): number {
  return 3 * forwardFlops(shape, parameters, pass);
}
