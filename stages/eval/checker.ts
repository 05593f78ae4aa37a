/**
 * Loads the checker of an evaluation and checks that the prompts have the field that it reads, before any model runs.
 * In: parameters and prompts. Out: a checker, or undefined.
 * @module
 */
import type { PromptRow } from "@/lib/data/contracts/prompts.ts";
import type { Checker } from "@/lib/model/evals/checker.ts";
import { checkerOptions } from "@/lib/model/evals/checker_params.ts";
import { loadChecker, neededField } from "@/lib/model/evals/load_checker.ts";
import { jsonObjectIn } from "@/lib/data/files/strict_json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import type { Params } from "./params.ts";

/**
 * Returns the checker of `module`, else the one that `params` name; undefined without a name, and with `checker_optional` if no
 * prompt has its field.
 * @throws {UsageError} if no such checker exists
 * @throws {DataError} naming the prompts without the field that it reads
 */
export async function checkerFor(
  params: Params,
  module: string | undefined,
  prompts: readonly PromptRow[],
  promptsPath: string,
  signal?: AbortSignal,
): Promise<Checker | undefined> {
  const name = module ?? params.checker;
  if (name === "") return undefined;
  const options = checkerOptions(params);
  const check = await loadChecker(name, options, signal && { signal });
  const field = neededField(name, options);
  if (field === undefined) return check;
  // A meta that is no object is reported when the responses are scored.
  const lacking = prompts.filter(({ meta }) => !Object.hasOwn(jsonObjectIn(meta) ?? { [field]: "" }, field));
  if (lacking.length === 0) return check;
  if (params.checker_optional && lacking.length === prompts.length) return undefined;
  const ids = listed(lacking.map(({ id }) => JSON.stringify(id)), { separator: ", " });
  throw new DataError(
    `${promptsPath}: checker ${name} requires the field "${field}" in every prompt, missing in ${lacking.length} of ` +
      `${prompts.length}: ${ids}`,
    { file: promptsPath, column: "meta" },
  );
}
