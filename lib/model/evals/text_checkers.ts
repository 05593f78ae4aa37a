/**
 * Checkers that compare a response with texts of its prompt's row: `exact`, `contains` and `regex`.
 * In: the response and a field of the row. Out: `score`, 0 or 1.
 * @module
 */
import { type CheckerInput, type CheckerOptions, expectedTexts, type ResponseCheck } from "./checker.ts";
import { compilePattern, type Pattern } from "./pattern.ts";

/** The field that `exact` and `contains` read by default. */
export const ANSWER_FIELD = "answer";

/** The field that `regex` reads by default. */
export const PATTERN_FIELD = "pattern";

/**
 * Scores 1 if the response, without leading and trailing white space, is the text in `meta.answer` (or the field of
 * `options.field`), or one of its texts. A truncated response scores 0.
 */
export function exactChecker(options: CheckerOptions = {}): ResponseCheck {
  return compareWith(
    options,
    ANSWER_FIELD,
    (response, expected, ended) => ended && response.trim() === expected.trim(),
  );
}

/** Scores 1 if the response contains the text in `meta.answer` (or the field of `options.field`), or one of its texts. */
export function containsChecker(options: CheckerOptions = {}): ResponseCheck {
  return compareWith(options, ANSWER_FIELD, (response, expected) => response.includes(expected));
}

function compareWith(
  options: CheckerOptions,
  defaultField: string,
  isHit: (response: string, expected: string, ended: boolean) => boolean,
): ResponseCheck {
  const fold = (text: string): string => options.ignoreCase ? text.toLowerCase() : text;
  return ({ meta, response, ended }) => {
    const expected = expectedTexts(meta, options.field ?? defaultField);
    return { score: expected.some((text) => isHit(fold(response), fold(text), ended)) ? 1 : 0 };
  };
}

/**
 * Scores 1 if `options.pattern` matches in the response; without one, the pattern in `meta.pattern` (or the field of
 * `options.field`), or one of its patterns.
 */
export function regexChecker(options: CheckerOptions = {}): ResponseCheck {
  const ignoreCase = options.ignoreCase ?? false;
  const fixed = options.pattern === undefined ? undefined : compilePattern(options.pattern, ignoreCase);
  const patternsOf = ({ meta }: CheckerInput): readonly Pattern[] =>
    fixed === undefined
      ? expectedTexts(meta, options.field ?? PATTERN_FIELD).map((pattern) =>
        compilePattern(pattern, ignoreCase)
      )
      : [fixed];
  return (input) => ({ score: patternsOf(input).some((pattern) => pattern.test(input.response)) ? 1 : 0 });
}
