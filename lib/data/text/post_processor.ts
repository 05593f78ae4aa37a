/**
 * The ids that a tokenizer's template adds to a text: BOS before it, `[SEP]` after it.
 * @module
 */
import { isJsonObject } from "@/lib/data/files/strict_json.ts";

/** Ids added by encoding with special tokens. */
export interface Surroundings {
  readonly prefixIds: readonly number[];
  readonly suffixIds: readonly number[];
}

const NOTHING: Surroundings = { prefixIds: [], suffixIds: [] };

/**
 * Returns the ids around a single text.
 * @param processor `post_processor` of tokenizer.json. The processors of a sequence run in order, so a later one adds its
 *   ids outside those of an earlier one
 */
export function surroundingsOf(processor: unknown): Surroundings {
  if (!isJsonObject(processor)) return NOTHING;
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
