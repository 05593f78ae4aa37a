/** IFEval's instructions on the end, quotation marks, commas, letter case and language of a response. @module */
import { isLower, isUpper, strip, stripCharacters } from "../python/text.ts";
import { detectLanguage } from "./detect_language.ts";
import { compareCount, type InstructionArguments, textArgument } from "./instruction.ts";
import { wordTokens } from "./word_tokens.ts";

/** startend:end_checker: the response ends with a given phrase, in any case. */
export function endsWithPhrase(response: string, args: InstructionArguments): boolean {
  const phrase = strip(strip(textArgument(args, "end_phrase"))).toLowerCase();
  return stripCharacters(strip(response), '"').toLowerCase().endsWith(phrase);
}

/** startend:quotation: double quotation marks around the response. */
export function isQuoted(response: string): boolean {
  const text = strip(response);
  return text.length > 1 && text.startsWith('"') && text.endsWith('"');
}

/** punctuation:no_comma */
export function hasNoComma(response: string): boolean {
  return !response.includes(",");
}

/** change_case:capital_word_frequency: so many words in capital letters. */
export function hasCapitalWords(response: string, args: InstructionArguments): boolean {
  const count = wordTokens(response).filter(isUpper).length;
  return compareCount(count, args, { limit: "capital_frequency", relation: "capital_relation" });
}

/** change_case:english_capital: English, in capital letters. */
export function isEnglishCapital(response: string): boolean {
  return isUpper(response) && isLanguage(response, "en");
}

/** change_case:english_lowercase: English, without capital letters. */
export function isEnglishLowercase(response: string): boolean {
  return isLower(response) && isLanguage(response, "en");
}

/** language:response_language */
export function isInLanguage(response: string, args: InstructionArguments): boolean {
  return isLanguage(response, textArgument(args, "language"));
}

/** A text without letters, on which detection fails, counts as followed. */
function isLanguage(text: string, language: string): boolean {
  const found = detectLanguage(text);
  return found === undefined || found === language;
}
