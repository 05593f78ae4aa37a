/**
 * The structure of all families: embeddings, blocks, a final normalisation, and a head that is tied to the embeddings,
 * has its own weights, or is a critic's single output.
 * @module
 */
import { div, linear, mul, tanh, type Value } from "@/lib/compute/autodiff/mod.ts";
import type { ConfigInput } from "./family.ts";
import type {
  AttentionSpec,
  Block,
  BlockContext,
  EmbeddingTable,
  Model,
  PartParameters,
  PartValues,
} from "./model.ts";

/** The parts of a family's model. */
export interface DecoderParts {
  readonly contextLength: number;
  /** prefix of the names of the trunk, `model.` in most families */
  readonly prefix: string;
  /** buffers that some checkpoints contain */
  readonly buffers?: readonly RegExp[];
  /** the first one is that of the tokens, [V,C] */
  readonly embeddings: readonly [EmbeddingTable, ...EmbeddingTable[]];
  /** one per layer */
  readonly attention: readonly AttentionSpec[];
  blockParameters(layer: number, attention: AttentionSpec): PartParameters;
  applyBlock(block: Block, parameters: PartValues, x: Value, context: BlockContext): Value;
  readonly finalNorm: PartParameters;
  normalise(parameters: PartValues, x: Value): Value;
  /** name of the output weights in checkpoints */
  readonly outputName: string;
  /** the output weights are the token embeddings */
  readonly tied: boolean;
  /** norm weight of the identity, if it is not 1 */
  readonly neutralNorm?: number;
  /** c of c·tanh(logit / c) */
  readonly logitSoftcap?: number | null;
}

/** Rotary frequencies are computed from the config; older exporters store them. */
const ROTARY_BUFFER = /\brotary_emb\.inv_freq$/;

/** Returns the model of a family. Layers with equal attention share their compiled graphs. */
export function decoder({ json, headKind, className }: ConfigInput, parts: DecoderParts): Model {
  const { embeddings: [{ parameter: table }], outputName, tied, logitSoftcap: cap } = parts;
  const [vocabSize, hiddenSize] = table.shape as readonly [number, number];
  const isLanguageModel = headKind === "lm";
  const output = tied ? table : { name: outputName, shape: table.shape };
  const score = { name: "score.weight", shape: [1, hiddenSize] };
  return {
    config: json,
    modelType: String(json.model_type),
    classifierName: `${className}ForSequenceClassification`,
    checkpoint: {
      prefix: parts.prefix,
      ignored: [
        ROTARY_BUFFER,
        ...parts.buffers ?? [],
        ...(tied && isLanguageModel ? [new RegExp(`^${outputName.replaceAll(".", "\\.")}$`)] : []),
      ],
    },
    ...(parts.neutralNorm === undefined ? {} : { neutralNorm: parts.neutralNorm }),
    headKind,
    vocabSize,
    hiddenSize,
    contextLength: parts.contextLength,
    embeddings: parts.embeddings,
    blocks: blocksOf(parts),
    applyBlock: parts.applyBlock,
    head: { ...parts.finalNorm, output: isLanguageModel ? output : score },
    normalise: parts.normalise,
    project(p, hidden) {
      const projected = linear(hidden, p.output!);
      return isLanguageModel && cap ? mul(tanh(div(projected, cap)), cap) : projected;
    },
  };
}

function blocksOf(parts: DecoderParts): Block[] {
  const kinds: string[] = [];
  return parts.attention.map((attention, layer) => {
    const key = JSON.stringify({
      ...attention,
      rope: attention.rope && [attention.rope.attentionFactor, ...attention.rope.frequencies],
    });
    if (!kinds.includes(key)) kinds.push(key);
    const kind = `decoder.${kinds.indexOf(key)}`;
    return { kind, attention, parameters: parts.blockParameters(layer, attention) };
  });
}
