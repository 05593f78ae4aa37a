/** IFEval's instructions on the format of a response: lists, sections, titles, JSON, fixed options. @module */
import { countMatches, PYTHON_LINE_END, PYTHON_SPACE, strip, stripCharacters } from "../python/text.ts";
import { type InstructionArguments, numberArgument, patternArgument, textArgument } from "./instruction.ts";

const S = `[${PYTHON_SPACE}]`;
const LINE_START = "(?<=\\n|(?<![^]))";
const BULLETS = [
  new RegExp(`${LINE_START}${S}*\\*[^*][^\\n]*${PYTHON_LINE_END}`, "gu"),
  new RegExp(`${LINE_START}${S}*-[^\\n]*${PYTHON_LINE_END}`, "gu"),
];
const OPTIONS = ["My answer is yes.", "My answer is no.", "My answer is maybe."];

/** detectable_format:number_bullet_lists: exactly so many points that begin with * or -. */
export function hasBulletCount(response: string, args: InstructionArguments): boolean {
  const count = BULLETS.reduce((sum, pattern) => sum + countMatches(response, pattern), 0);
  return count === numberArgument(args, "num_bullets");
}

/** detectable_format:constrained_response: one of three fixed sentences occurs. */
export function hasOption(response: string): boolean {
  return OPTIONS.some((option) => response.includes(option));
}

/** detectable_format:number_highlighted_sections: at least so many texts between * or **. */
export function hasHighlights(response: string, args: InstructionArguments): boolean {
  const single = response.match(/\*[^\n*]*\*/g) ?? [], double = response.match(/\*\*[^\n*]*\*\*/g) ?? [];
  const count = single.filter((text) => strip(stripCharacters(text, "*")) !== "").length +
    double.filter((text) => strip(text.replace(/^\*\*/, "").replace(/\*\*$/, "")) !== "").length;
  return count >= numberArgument(args, "num_highlights");
}

/** detectable_format:multiple_sections: at least so many numbered headings with a given word. */
export function hasSections(response: string, args: InstructionArguments): boolean {
  const word = patternArgument(strip(textArgument(args, "section_spliter")));
  const heading = new RegExp(`${S}?${word}${S}?\\p{Nd}+${S}?`, "gu");
  return countMatches(response, heading) >= numberArgument(args, "num_sections");
}

/** detectable_format:title: a title between << and >>. */
export function hasTitle(response: string): boolean {
  const titles = response.match(/<<[^\n]+>>/g) ?? [];
  return titles.some((title) => strip(title.replace(/^<+/, "").replace(/>+$/, "")) !== "");
}

/** detectable_format:json_format: the whole response is JSON, also within a fenced block, as Python's `json.loads` reads it. */
export function isJson(response: string): boolean {
  let text = strip(response);
  for (const fence of ["```json", "```Json", "```JSON", "```"]) {
    if (text.startsWith(fence)) text = text.slice(fence.length);
  }
  if (text.endsWith("```")) text = text.slice(0, -3);
  return isPythonJson(strip(text));
}

const STRINGS_AND_OTHERS = /"(?:[^"\\]|\\[^])*"|[^"]+/g;
/** Python reads integers of at most this many digits. */
const LONG_INTEGER = /\d{4301,}(?![\d.eE])/;

/** Returns whether `json.loads(text)` succeeds: JSON and the numbers NaN, Infinity and -Infinity. */
function isPythonJson(text: string): boolean {
  let hasLongInteger = false;
  const json = text.replace(STRINGS_AND_OTHERS, (part) => {
    if (part.startsWith('"')) return part;
    if (LONG_INTEGER.test(part)) hasLongInteger = true;
    return part.replace(/-?Infinity|NaN/g, "null");
  });
  try {
    JSON.parse(json);
  } catch {
    return false;
  }
  return !hasLongInteger;
}
