/**
 * What a tokenizer's own template puts around one text: BOS before it, `[SEP]` after it.
 * In: `post_processor` of a tokenizer.json. Out: ids.
 * @module
 */
import { isObject } from "./tokenizer_file.ts";

/** Ids that encoding with special tokens adds. */
export interface Surroundings {
  readonly prefixIds: readonly number[];
  readonly suffixIds: readonly number[];
}

const NOTHING: Surroundings = { prefixIds: [], suffixIds: [] };

/**
 * The ids around a single text. Processors of a sequence run one after the other, so that a later one writes outside of
 * an earlier one. Those that add no token (ByteLevel) give none.
 */
export function surroundingsOf(processor: unknown): Surroundings {
  if (!isObject(processor)) return NOTHING;
  switch (processor.type) {
    case "Sequence":
      return (processor.processors as readonly unknown[]).map(surroundingsOf).reduce(
        (inner, outer) => ({
          prefixIds: [...outer.prefixIds, ...inner.prefixIds],
          suffixIds: [...inner.suffixIds, ...outer.suffixIds],
        }),
        NOTHING,
      );
    case "TemplateProcessing": {
      const pieces = processor.single as readonly TemplatePiece[];
      const tokens = processor.special_tokens as Readonly<
        Record<string, { readonly ids: readonly number[] }>
      >;
      const at = pieces.findIndex((piece) => "Sequence" in piece);
      const idsOf = (piece: TemplatePiece) =>
        "SpecialToken" in piece ? tokens[piece.SpecialToken.id]?.ids ?? [] : [];
      return {
        prefixIds: pieces.slice(0, at).flatMap(idsOf),
        suffixIds: pieces.slice(at + 1).flatMap(idsOf),
      };
    }
    case "BertProcessing":
    case "RobertaProcessing":
      return {
        prefixIds: [(processor.cls as [string, number])[1]],
        suffixIds: [(processor.sep as [string, number])[1]],
      };
    default:
      return NOTHING;
  }
}

type TemplatePiece =
  | { readonly SpecialToken: { readonly id: string } }
  | { readonly Sequence: { readonly id: string } };
