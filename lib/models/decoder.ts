/**
 * What all families have in common: embeddings, blocks, a final normalisation, and a head that is tied to the
 * embeddings, has weights of its own, or gives a critic's one number. A family says what differs.
 * @module
 */
import { div, linear, mul, tanh, type Value } from "@/lib/autodiff/mod.ts";
import type {
  AttentionSpec,
  Block,
  BlockContext,
  EmbeddingTable,
  Model,
  PartParameters,
  PartValues,
} from "./model.ts";
import type { ConfigInput } from "./parse_config.ts";

/** A layer before it is known which others it shares graphs with. */
export interface Layer {
  readonly attention: AttentionSpec;
  readonly parameters: PartParameters;
}

/** What makes a family. */
export interface DecoderParts {
  readonly modelType: string;
  readonly classifierName: string;
  readonly contextLength: number;
  /** what names of the trunk begin with, `model.` in most families */
  readonly prefix: string;
  /** buffers that some checkpoints hold */
  readonly buffers?: readonly RegExp[];
  /** the first one is that of the tokens, [V,C] */
  readonly embeddings: readonly [EmbeddingTable, ...EmbeddingTable[]];
  readonly layers: readonly Layer[];
  applyBlock(block: Block, parameters: PartValues, x: Value, context: BlockContext): Value;
  readonly finalNorm: PartParameters;
  normalise(parameters: PartValues, x: Value): Value;
  /** name of the output weights in checkpoints */
  readonly outputName: string;
  /** the output weights are the token embeddings */
  readonly tied: boolean;
  /** weight of a norm that changes nothing, where it is not 1 */
  readonly neutralNorm?: number;
  /** c of c·tanh(logit / c) */
  readonly logitSoftcap?: number | null;
}

/** Rotary frequencies are computed from the config; older exporters store them. */
const ROTARY_BUFFER = /\brotary_emb\.inv_freq$/;

/** The model of a family. Layers that attend alike share their compiled graphs. */
export function decoder(input: ConfigInput, parts: DecoderParts): Model {
  const { embeddings: [{ parameter: table }], outputName, tied, logitSoftcap: cap } = parts;
  const [vocabSize, hiddenSize] = table.shape as readonly [number, number];
  const isLanguageModel = input.headKind === "lm";
  const output = tied ? table : { name: outputName, shape: table.shape };
  const score = { name: "score.weight", shape: [1, hiddenSize] };
  return {
    config: input.json,
    modelType: parts.modelType,
    classifierName: parts.classifierName,
    checkpoint: {
      prefix: parts.prefix,
      ignored: [
        ROTARY_BUFFER,
        ...parts.buffers ?? [],
        ...(tied && isLanguageModel ? [new RegExp(`^${outputName.replaceAll(".", "\\.")}$`)] : []),
      ],
    },
    ...(parts.neutralNorm === undefined ? {} : { neutralNorm: parts.neutralNorm }),
    headKind: input.headKind,
    vocabSize,
    hiddenSize,
    contextLength: parts.contextLength,
    embeddings: parts.embeddings,
    blocks: blocksOf(parts.layers),
    applyBlock: parts.applyBlock,
    head: { ...parts.finalNorm, output: isLanguageModel ? output : score },
    normalise: parts.normalise,
    project(p, hidden) {
      const projected = linear(hidden, p.output!);
      return isLanguageModel && cap ? mul(tanh(div(projected, cap)), cap) : projected;
    },
  };
}

function blocksOf(layers: readonly Layer[]): Block[] {
  const kinds: string[] = [];
  return layers.map(({ attention, parameters }) => {
    const key = JSON.stringify({
      ...attention,
      rope: attention.rope && [attention.rope.attentionFactor, ...attention.rope.frequencies],
    });
    if (!kinds.includes(key)) kinds.push(key);
    return { kind: `decoder.${kinds.indexOf(key)}`, attention, parameters };
  });
}
