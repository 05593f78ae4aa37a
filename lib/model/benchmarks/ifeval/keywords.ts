/** IFEval's instructions on keywords and letters. @module */
import { countMatches, PYTHON_BOUNDARY, strip } from "../python/text.ts";
import {
  argumentError,
  compareCount,
  type InstructionArguments,
  patternArgument,
  textArgument,
  textsArgument,
} from "./instruction.ts";

/** keywords:existence: every keyword occurs, in any case, also inside words. */
export function hasKeywords(response: string, args: InstructionArguments): boolean {
  return textsArgument(args, "keywords").every((word) => keywordPattern(word).test(response));
}

/** keywords:frequency: a keyword occurs less than, or at least, so often. */
export function hasKeywordFrequency(response: string, args: InstructionArguments): boolean {
  const pattern = keywordPattern(strip(textArgument(args, "keyword")));
  return compareCount(countMatches(response, pattern), args, { limit: "frequency", relation: "relation" });
}

/** keywords:forbidden_words: none of the words occurs as a whole word, in any case. */
export function hasNoForbiddenWord(response: string, args: InstructionArguments): boolean {
  return !textsArgument(args, "forbidden_words").some((word) =>
    keywordPattern(word, PYTHON_BOUNDARY).test(response)
  );
}

/** keywords:letter_frequency: a letter occurs less than, or at least, so often, in any case. */
export function hasLetterFrequency(response: string, args: InstructionArguments): boolean {
  const letter = strip(textArgument(args, "letter")).toLowerCase();
  if ([...letter].length !== 1) throw argumentError("letter", "one character", letter);
  const count = [...response.toLowerCase()].filter((char) => char === letter).length;
  return compareCount(count, args, { limit: "let_frequency", relation: "let_relation" });
}

/** Cases that Python's `re.IGNORECASE` joins and JavaScript's flag i does not. */
const DOTTED_I = "[iI\\u0130\\u0131]";

/** Returns a pattern that finds a keyword in any case, between `edge` and `edge`. */
function keywordPattern(word: string, edge = ""): RegExp {
  const letters = patternArgument(word).replace(/[iI\u0130\u0131]/g, DOTTED_I);
  return new RegExp(`${edge}${letters}${edge}`, "giu");
}
