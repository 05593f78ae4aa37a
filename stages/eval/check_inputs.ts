/** What must hold before anything is evaluated: one vocabulary, language models, ids and lengths that fit. @module */
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import type { TokenRow } from "@/lib/contracts/tokens.ts";
import type { Model } from "@/lib/models/model.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** Problems that a message spells out; the rest is counted. */
const SHOWN = 10;

/** Models by what they are called, and the rows that they are to read. */
export interface Inputs {
  readonly models: Readonly<Record<string, Model>>;
  readonly prompts: readonly PromptRow[];
  readonly promptsPath: string;
  readonly validation: readonly TokenRow[];
  readonly maxNewTokens: number;
}

/**
 * @throws {DataError} listing the models that are no language models, the prompts that leave no room for an answer, the
 *   demonstrations that are longer than a model's context, and the rows with ids that a model does not have
 */
export function checkInputs(inputs: Inputs): void {
  const { models, prompts, promptsPath, validation, maxNewTokens } = inputs;
  const problems: string[] = [];
  const entries = Object.entries(models);
  for (const [name, { headKind }] of entries) {
    if (headKind !== "lm") problems.push(`${name} is a critic, not a language model`);
  }
  const [shortest, context] = least(entries.map(([name, model]) => [name, model.contextLength]));
  const [smallest, vocabulary] = least(entries.map(([name, model]) => [name, model.vocabSize]));
  const seen = new Set<string>();
  for (const { id, promptIds } of prompts) {
    if (seen.has(id)) problems.push(`prompt "${id}" comes twice`);
    seen.add(id);
    if (promptIds.length + maxNewTokens > context) {
      problems.push(
        `prompt "${id}" of ${promptIds.length} tokens and ${maxNewTokens} new ones exceed the ${context} of ${shortest}`,
      );
    }
    const foreign = promptIds.find((token) => token >= vocabulary);
    if (foreign !== undefined) {
      problems.push(`prompt "${id}" has id ${foreign} beyond the ${vocabulary} of ${smallest}`);
    }
  }
  for (const { id, inputIds } of validation) {
    if (inputIds.length > context) {
      problems.push(
        `demonstration "${id}" of ${inputIds.length} tokens exceeds the ${context} of ${shortest}`,
      );
    }
    const foreign = inputIds.find((token) => token >= vocabulary);
    if (foreign !== undefined) {
      problems.push(`demonstration "${id}" has id ${foreign} beyond the ${vocabulary} of ${smallest}`);
    }
  }
  if (problems.length === 0) return;
  const more = problems.length > SHOWN ? `; and ${problems.length - SHOWN} more` : "";
  throw new DataError(
    `Cannot evaluate on ${promptsPath} as models and rows must fit: ${
      problems.slice(0, SHOWN).join("; ")
    }${more}`,
    { file: promptsPath },
  );
}

function least(entries: readonly (readonly [string, number])[]): readonly [string, number] {
  return entries.reduce((a, b) => b[1] < a[1] ? b : a);
}
