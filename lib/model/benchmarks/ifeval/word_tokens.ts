/**
 * Splits English text into words and punctuation as `nltk.word_tokenize` does.
 * Source: nltk/tokenize/destructive.py of NLTK 3.10 (Apache License 2.0), whose rules follow Robert MacIntyre's Treebank tokenizer.
 * @module
 */
import {
  NLTK_BOUNDARY,
  NLTK_SPACE,
  NLTK_WORD,
  PYTHON_BOUNDARY,
  PYTHON_END,
  PYTHON_SPACE,
  splitAtSpaces,
} from "../python/text.ts";
import { sentencesOf } from "./sentences.ts";

type Rule = readonly [pattern: RegExp, replacement: string];

const S = `[${NLTK_SPACE}]`, B = NLTK_BOUNDARY;

const rule = (pattern: string, replacement: string, flags = "gu"): Rule => [
  new RegExp(pattern, flags),
  replacement,
];

const BEFORE_PADDING: readonly Rule[] = [
  // opening quotes
  rule("([«“‘„]|[`]+)", " $1 "),
  rule('^"', "``"),
  rule("(``)", " $1 "),
  rule("([ (\\[{<])(\"|'{2})", "$1 `` "),
  rule(`(?<![${NLTK_WORD}])(')(?!(?:re|ve|ll|m|t|s|d|n)${B})(?=[${NLTK_WORD}])`, "$1 ", "giu"),
  // punctuation; the lookahead with \3 stands for Python's possessive repetition
  rule(`([^.])(\\.)(?=([\\])}>"'»”’ ]*))\\3${S}*${PYTHON_END}`, "$1 $2 $3 "),
  rule("([:,])([^\\p{Nd}])", " $1 $2"),
  rule(`([:,])${PYTHON_END}`, " $1 "),
  rule("\\.{2,}", " $& "),
  rule("[;@#$%&]", " $& "),
  rule("[\\u2012-\\u2015]", " $& "),
  rule(`([^.])(\\.)([\\])}>"']*)${S}*${PYTHON_END}`, "$1 $2$3 "),
  rule("[?!]", " $& "),
  rule("([^'])' ", "$1 ' "),
  rule("[*]", " $& "),
  rule("[\\][(){}<>]", " $& "),
  rule("--", " -- "),
];

const CONTRACTIONS = [
  "(can)(not)",
  "(d)('ye)",
  "(gim)(me)",
  "(gon)(na)",
  "(got)(ta)",
  "(lem)(me)",
  "(more)('n)",
];

const AFTER_PADDING: readonly Rule[] = [
  // closing quotes
  rule("([»”’])", " $1 "),
  rule("''", " '' "),
  rule('"', " '' "),
  rule(`${S}+`, " "),
  rule("([^' ])('[sS]|'[mM]|'[dD]|') ", "$1 $2 "),
  rule("([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", "$1 $2 "),
  ...CONTRACTIONS.map((pattern) => rule(`${PYTHON_BOUNDARY}${pattern}${PYTHON_BOUNDARY}`, " $1 $2 ", "giu")),
  rule(`${PYTHON_BOUNDARY}(wan)(na)(?=[${PYTHON_SPACE}])`, " $1 $2 ", "giu"),
  rule(` ('t)(is)${PYTHON_BOUNDARY}`, " $1 $2 ", "giu"),
  rule(` ('t)(was)${PYTHON_BOUNDARY}`, " $1 $2 ", "giu"),
];

/** Returns the tokens of `text`, in order. */
export function wordTokens(text: string): string[] {
  return sentencesOf(text).flatMap((sentence) => {
    let tokens = sentence;
    for (const [pattern, replacement] of BEFORE_PADDING) tokens = tokens.replace(pattern, replacement);
    tokens = ` ${tokens} `;
    for (const [pattern, replacement] of AFTER_PADDING) tokens = tokens.replace(pattern, replacement);
    return splitAtSpaces(tokens);
  });
}
