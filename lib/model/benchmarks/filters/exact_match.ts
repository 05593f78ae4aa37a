/** The metric `exact_match` of lm-evaluation-harness 0.4.13 (lm_eval/api/metrics.py). @module */
import { PYTHON_END } from "../python/text.ts";

/** What is left out before texts are compared. */
export interface ExactMatchOptions {
  /** matches are removed, pattern by pattern */
  readonly ignored?: readonly RegExp[];
  readonly ignoreCase?: boolean;
  /** ASCII punctuation is removed */
  readonly ignorePunctuation?: boolean;
}

/** Number formats that GSM8K ignores: commas, dollar signs, all before the last "#### ", a final full stop. */
export const NUMBER_FORMATS: readonly RegExp[] = [
  /,/g,
  /\$/g,
  /[^]*#### /gu,
  new RegExp(`\\.${PYTHON_END}`, "gu"),
];

/** Returns 1 if both texts are equal after what is ignored is removed from both, else 0. */
export function exactMatch(prediction: string, reference: string, options: ExactMatchOptions = {}): 0 | 1 {
  return compared(prediction, options) === compared(reference, options) ? 1 : 0;
}

function compared(text: string, { ignored = [], ignoreCase, ignorePunctuation }: ExactMatchOptions): string {
  for (const pattern of ignored) text = text.replace(pattern, "");
  if (ignoreCase) text = text.toLowerCase();
  if (ignorePunctuation) text = text.replace(/[!-/:-@[-`{-~]/g, "");
  // NumPy, which the harness compares with, drops these.
  return text.replace(/\0+$/, "");
}
