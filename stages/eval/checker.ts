/**
 * The checker of an evaluation, if its prompts have what it looks at; known before any model answers.
 * In: parameters and prompts. Out: a checker, or none.
 * @module
 */
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import type { Checker } from "@/lib/evals/checker.ts";
import { checkerOptions } from "@/lib/evals/checker_params.ts";
import { loadChecker, neededField } from "@/lib/evals/load_checker.ts";
import { isJsonObject, parseStrictJson } from "@/lib/files/strict_json.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Params } from "./params.ts";

/** Prompts that a message names; the rest is counted. */
const SHOWN = 10;

/**
 * The checker of the module `module`, else the one that `params` name; none without a name, and none with `checker_optional` where no prompt has its field.
 * @throws {UsageError} if there is no such checker
 * @throws {DataError} naming the prompts without the field that it looks at
 */
export async function checkerFor(
  params: Params,
  module: string | undefined,
  prompts: readonly PromptRow[],
  promptsPath: string,
): Promise<Checker | undefined> {
  const name = module ?? params.checker;
  if (name === "") return undefined;
  const options = checkerOptions(params);
  const check = await loadChecker(name, options);
  const needed = neededField(name, options);
  if (needed === undefined) return check;
  const lacking = prompts.filter(({ meta }) => lacks(meta, needed)).map(({ id }) => id);
  if (lacking.length === 0) return check;
  if (params.checker_optional && lacking.length === prompts.length) return undefined;
  const shown = lacking.slice(0, SHOWN).map((id) => JSON.stringify(id)).join(", ");
  const more = lacking.length > SHOWN ? `, and ${lacking.length - SHOWN} more` : "";
  throw new DataError(
    `Cannot check answers to ${promptsPath} as checker ${name} needs the field "${needed}" in every prompt: ` +
      `${lacking.length} of ${prompts.length} lack it: ${shown}${more}`,
    { file: promptsPath, column: "meta" },
  );
}

/** Whether `meta` is a JSON object without `field`. What is no object at all has its own message when it is judged. */
function lacks(meta: string, field: string): boolean {
  try {
    const value = parseStrictJson(meta);
    return isJsonObject(value) && !Object.hasOwn(value, field);
  } catch {
    return false;
  }
}
