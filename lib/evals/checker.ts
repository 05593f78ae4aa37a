/**
 * What a checker is: a function that scores one response to one prompt. `score` in [0, 1] is the figure that stages
 * select and report by; a checker may give more figures beside it.
 * In: the prompt's `meta` and the response's text. Out: figures by name.
 * @module
 */
import { DataError, UsageError } from "@/lib/tensor/errors.ts";

/** Scores one response. Figures have snake_case names; `score` is among them. */
export type Checker = (input: CheckerInput) => Readonly<Record<string, number>>;

/** What a checker looks at. */
export interface CheckerInput {
  /** fields of the prompt's row beside its id and text */
  readonly meta: Readonly<Record<string, unknown>>;
  /** decoded response without special tokens */
  readonly response: string;
  /** whether the model ended the response by itself (EOS, or a stop text), not by the length limit */
  readonly ended: boolean;
}

/** Settings of a checker; which of them count is up to the checker. */
export interface CheckerOptions {
  /** field of `meta` that holds what is expected */
  readonly field?: string;
  /** regular expression in JavaScript's syntax with the flag u; `regex` only */
  readonly pattern?: string;
  /** compare without regard to case; default false */
  readonly ignoreCase?: boolean;
}

/**
 * The text, or the texts, in `meta[field]`.
 * @throws {DataError} if the field holds neither a string nor a list of strings, or holds none.
 */
export function expectedTexts(meta: CheckerInput["meta"], field: string): readonly string[] {
  const value = Object.hasOwn(meta, field) ? meta[field] : undefined;
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (texts.length > 0 && texts.every((text): text is string => typeof text === "string" && text !== "")) {
    return texts;
  }
  throw new DataError(
    `Cannot check a response as field "${field}" of its prompt must be a text or a list of texts: it is ${
      JSON.stringify(value) ?? "missing"
    }`,
    { column: field },
  );
}

/** `text` as a literal inside a regular expression with the flag u. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/**
 * A user's pattern, compiled with the flag u (and i).
 * @throws {UsageError} if it is no regular expression.
 */
export function compilePattern(pattern: string, ignoreCase: boolean): RegExp {
  try {
    return new RegExp(pattern, ignoreCase ? "iu" : "u");
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    const error = new UsageError(
      `Cannot use ${JSON.stringify(pattern)} as a checker's pattern must be a regular expression: ${what}`,
    );
    error.cause = cause;
    throw error;
  }
}
