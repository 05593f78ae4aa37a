/** IFEval's instructions on the length of a response: words, sentences, paragraphs. @module */
import { countMatches, NLTK_WORD, PYTHON_SPACE, splitAtSpaces, strip } from "../python/text.ts";
import { compareCount, type InstructionArguments, numberArgument, textArgument } from "./instruction.ts";
import { sentencesOf } from "./sentences.ts";

const WORDS = new RegExp(`[${NLTK_WORD}]+`, "gu");
const DIVIDER = new RegExp(`[${PYTHON_SPACE}]?\\*\\*\\*[${PYTHON_SPACE}]?`, "u");

/** length_constraints:number_words */
export function hasWordCount(response: string, args: InstructionArguments): boolean {
  return compareCount(countMatches(response, WORDS), args, { limit: "num_words", relation: "relation" });
}

/** length_constraints:number_sentences */
export function hasSentenceCount(response: string, args: InstructionArguments): boolean {
  return compareCount(sentencesOf(response).length, args, { limit: "num_sentences", relation: "relation" });
}

/** length_constraints:number_paragraphs: so many paragraphs between lines of ***; only the first and last may be empty. */
export function hasParagraphCount(response: string, args: InstructionArguments): boolean {
  const paragraphs = response.split(DIVIDER).map(strip);
  if (paragraphs.slice(1, -1).includes("")) return false;
  const ends = paragraphs.length === 1 ? [paragraphs[0]] : [paragraphs[0], paragraphs.at(-1)];
  const empty = ends.filter((paragraph) => paragraph === "").length;
  return paragraphs.length - empty === numberArgument(args, "num_paragraphs");
}

/** length_constraints:nth_paragraph_first_word: so many paragraphs between blank lines, and the nth begins with a word. */
export function hasFirstWord(response: string, args: InstructionArguments): boolean {
  const paragraphs = response.split("\n\n").map(strip);
  const count = paragraphs.filter((paragraph) => paragraph !== "").length;
  const position = numberArgument(args, "nth_paragraph");
  const paragraph = position <= count ? paragraphs[position - 1] : undefined;
  if (!paragraph) return false;
  const word = splitAtSpaces(paragraph)[0]!.replace(/^'+/, "").replace(/^"+/, "");
  const first = /^[^.,?!'"]*/.exec(word)![0];
  // letter by letter, as the original: a final sigma is not one alone
  const lower = Array.from(first, (letter) => letter.toLowerCase()).join("");
  return count === numberArgument(args, "num_paragraphs") &&
    lower === textArgument(args, "first_word").toLowerCase();
}
