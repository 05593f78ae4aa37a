/**
 * The outcome of a response to an IFEval prompt.
 * Source: instruction_following_eval/evaluation_lib.py of google-research and lm_eval/tasks/ifeval of lm-evaluation-harness 0.4.13.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { z } from "zod";
import { strip } from "../python/text.ts";
import { INSTRUCTIONS } from "./instructions.ts";

/** A row of IFEval's data. */
export const IfevalDocument = z.object({
  key: z.union([z.number(), z.string()]),
  prompt: z.string(),
  instruction_id_list: z.array(z.string()).min(1),
  kwargs: z.array(z.record(z.string(), z.unknown())),
}).refine(
  (doc) => doc.kwargs.length === doc.instruction_id_list.length,
  "requires kwargs for every instruction",
);

/** A checked row. */
export type IfevalDocument = z.output<typeof IfevalDocument>;

/** Whether a response follows its instructions, by the harness's names of metrics. */
export interface IfevalOutcome {
  readonly prompt_level_strict_acc: boolean;
  readonly inst_level_strict_acc: readonly boolean[];
  readonly prompt_level_loose_acc: boolean;
  readonly inst_level_loose_acc: readonly boolean[];
}

/**
 * Returns which instructions a response follows: strictly, and loosely, which means that one of eight variants of the response
 * follows it (without its first line, last line, or both; with and without asterisks), a variant for each instruction.
 * @throws {DataError} if an instruction is unknown or lacks an argument
 */
export function ifevalOutcome(doc: IfevalDocument, response: string): IfevalOutcome {
  const variants = looseVariants(response);
  const strict: boolean[] = [], loose: boolean[] = [];
  for (const [i, id] of doc.instruction_id_list.entries()) {
    const instruction = Object.hasOwn(INSTRUCTIONS, id) ? INSTRUCTIONS[id]! : undefined;
    if (!instruction) {
      throw new DataError(`Instruction must be one of ${Object.keys(INSTRUCTIONS).join(", ")}, got "${id}"`);
    }
    const args = doc.kwargs[i]!;
    const follows = (text: string) => strip(text) !== "" && instruction(text, args);
    strict.push(follows(response));
    loose.push(strict.at(-1)! || variants.some(follows));
  }
  return {
    prompt_level_strict_acc: strict.every(Boolean),
    inst_level_strict_acc: strict,
    prompt_level_loose_acc: loose.every(Boolean),
    inst_level_loose_acc: loose,
  };
}

/** Returns the seven variants other than the response itself. */
function looseVariants(response: string): string[] {
  const lines = response.split("\n");
  const parts = [lines.slice(1), lines.slice(0, -1), lines.slice(1, -1)].map((part) =>
    strip(part.join("\n"))
  );
  return [...parts, ...[response, ...parts].map((text) => text.replaceAll("*", ""))];
}
