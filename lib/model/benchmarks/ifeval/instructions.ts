/** IFEval's 25 instructions by their names. @module */
import { hasPlaceholders, hasPostscript, hasTwoResponses, repeatsPrompt } from "./contents.ts";
import {
  endsWithPhrase,
  hasCapitalWords,
  hasNoComma,
  isEnglishCapital,
  isEnglishLowercase,
  isInLanguage,
  isQuoted,
} from "./edges_and_cases.ts";
import { hasBulletCount, hasHighlights, hasOption, hasSections, hasTitle, isJson } from "./formats.ts";
import type { Instruction } from "./instruction.ts";
import { hasKeywordFrequency, hasKeywords, hasLetterFrequency, hasNoForbiddenWord } from "./keywords.ts";
import { hasFirstWord, hasParagraphCount, hasSentenceCount, hasWordCount } from "./lengths.ts";

/** The instructions of `instruction_id_list`. */
export const INSTRUCTIONS: Readonly<Record<string, Instruction>> = {
  "keywords:existence": hasKeywords,
  "keywords:frequency": hasKeywordFrequency,
  "keywords:forbidden_words": hasNoForbiddenWord,
  "keywords:letter_frequency": hasLetterFrequency,
  "language:response_language": isInLanguage,
  "length_constraints:number_sentences": hasSentenceCount,
  "length_constraints:number_paragraphs": hasParagraphCount,
  "length_constraints:number_words": hasWordCount,
  "length_constraints:nth_paragraph_first_word": hasFirstWord,
  "detectable_content:number_placeholders": hasPlaceholders,
  "detectable_content:postscript": hasPostscript,
  "detectable_format:number_bullet_lists": hasBulletCount,
  "detectable_format:constrained_response": hasOption,
  "detectable_format:number_highlighted_sections": hasHighlights,
  "detectable_format:multiple_sections": hasSections,
  "detectable_format:json_format": isJson,
  "detectable_format:title": hasTitle,
  "combination:two_responses": hasTwoResponses,
  "combination:repeat_prompt": repeatsPrompt,
  "startend:end_checker": endsWithPhrase,
  "startend:quotation": isQuoted,
  "change_case:capital_word_frequency": hasCapitalWords,
  "change_case:english_capital": isEnglishCapital,
  "change_case:english_lowercase": isEnglishLowercase,
  "punctuation:no_comma": hasNoComma,
};
