/**
 * A checker: a function that scores responses to prompts. `score` in [0, 1] is the metric that stages select and report by; a
 * checker may return more metrics.
 * In: the prompts' `meta` and the responses' texts. Out: metrics by name.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";

/** Metrics of one response by snake_case names, `score` among them. */
export type CheckerMetrics = Readonly<Record<string, number>>;

/**
 * Scores responses, in their order.
 * @throws {DataError} with the number of the response that cannot be scored as `where.row`
 */
export type Checker = (inputs: readonly CheckerInput[]) => Promise<readonly CheckerMetrics[]>;

/** Scores one response: a built-in checker. */
export type ResponseCheck = (input: CheckerInput) => CheckerMetrics;

/** Input of a checker. */
export interface CheckerInput {
  /** fields of the prompt's row other than id and text */
  readonly meta: Readonly<Record<string, unknown>>;
  /** decoded response without special tokens */
  readonly response: string;
  /** whether the response ended with EOS or a stop string, not at the length limit */
  readonly ended: boolean;
}

/** Settings of a checker; each checker uses some of them. */
export interface CheckerOptions {
  /** field of `meta` with the expected text */
  readonly field?: string;
  /** regular expression, see `pattern.ts`; `regex` only */
  readonly pattern?: string;
  /** ignore case; default false */
  readonly ignoreCase?: boolean;
}

/**
 * Returns the text, or the texts, in `meta[field]`.
 * @throws {DataError} if the field is not a string or a list of strings, or is empty
 */
export function expectedTexts(meta: CheckerInput["meta"], field: string): readonly string[] {
  const value = Object.hasOwn(meta, field) ? meta[field] : undefined;
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (texts.length > 0 && texts.every((text): text is string => typeof text === "string" && text !== "")) {
    return texts;
  }
  throw new DataError(
    `Field "${field}" of a prompt must be a string or a list of strings, got ${
      JSON.stringify(value) ?? "nothing"
    }`,
    { column: field },
  );
}

/** Escapes `text` for a regular expression with the flag u. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
