/** IFEval's instructions on parts that a response must have: placeholders, a postscript, the prompt, two responses. @module */
import { countMatches, PYTHON_LINE_END, PYTHON_SPACE, strip } from "../python/text.ts";
import { type InstructionArguments, numberArgument, patternArgument, textArgument } from "./instruction.ts";

const S = `[${PYTHON_SPACE}]`;

/** detectable_content:number_placeholders: at least so many texts in square brackets. */
export function hasPlaceholders(response: string, args: InstructionArguments): boolean {
  return countMatches(response, /\[[^\n]*?\]/g) >= numberArgument(args, "num_placeholders");
}

/** detectable_content:postscript: a postscript with the given marker, in any case. */
export function hasPostscript(response: string, args: InstructionArguments): boolean {
  const marker = strip(textArgument(args, "postscript_marker"));
  const begin = marker === "P.P.S"
    ? `p\\.${S}?p\\.${S}?s`
    : marker === "P.S."
    ? `p\\.${S}?s\\.`
    : patternArgument(marker.toLowerCase());
  return new RegExp(`${begin}[^\\n]*${PYTHON_LINE_END}`, "u").test(response.toLowerCase());
}

/** combination:two_responses: two different responses with ****** between them. */
export function hasTwoResponses(response: string): boolean {
  const parts = response.split("******").map(strip);
  if (parts.slice(1, -1).includes("")) return false;
  const responses = parts.filter((part) => part !== "");
  return responses.length === 2 && responses[0] !== responses[1];
}

/** combination:repeat_prompt: the response begins with a given text, in any case. */
export function repeatsPrompt(response: string, args: InstructionArguments): boolean {
  const prompt = strip(textArgument(args, "prompt_to_repeat")).toLowerCase();
  return strip(response).toLowerCase().startsWith(prompt);
}
