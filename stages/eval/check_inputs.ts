/** Checks models and rows before the evaluation: language models, and ids and lengths that fit them. @module */
import type { PromptRow } from "@/lib/data/contracts/prompts.ts";
import type { TokenRow } from "@/lib/data/contracts/tokens.ts";
import type { Model } from "@/lib/model/models/model.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

/**
 * Checks that all rows fit all models, which are given by name.
 * @throws {DataError} listing the models that are no language models, the prompts that leave no room for a response, the
 *   demonstrations that exceed a model's context, and the rows with ids that a model does not have
 */
export function checkInputs(
  { models, prompts, promptsPath, validation, maxNewTokens }: {
    readonly models: Readonly<Record<string, Model>>;
    readonly prompts: readonly PromptRow[];
    readonly promptsPath: string;
    readonly validation: readonly TokenRow[];
    readonly maxNewTokens: number;
  },
): void {
  const entries = Object.entries(models), seen = new Set<string>();
  const problems = entries.filter(([, { headKind }]) => headKind !== "lm")
    .map(([name]) => `${name} must be a language model, got a critic`);
  const [shortest, context] = least(entries.map(([name, model]) => [name, model.contextLength]));
  const [smallest, vocabulary] = least(entries.map(([name, model]) => [name, model.vocabSize]));
  const check = (row: string, ids: Int32Array, newTokens: number) => {
    if (ids.length + newTokens > context) {
      const more = newTokens === 0 ? "" : ` and ${newTokens} new tokens`;
      problems.push(
        `${row} has ${ids.length} tokens${more}, more than the context of ${shortest} (${context})`,
      );
    }
    const foreign = ids.find((token) => token >= vocabulary);
    if (foreign !== undefined) {
      problems.push(`${row} has id ${foreign}, beyond the vocabulary of ${smallest} (${vocabulary})`);
    }
  };
  for (const { id, promptIds } of prompts) {
    if (seen.has(id)) problems.push(`prompt "${id}" occurs twice`);
    seen.add(id);
    check(`prompt "${id}"`, promptIds, maxNewTokens);
  }
  for (const { id, inputIds } of validation) check(`demonstration "${id}"`, inputIds, 0);
  if (problems.length === 0) return;
  throw new DataError(`${promptsPath} is incompatible with the models: ${listed(problems)}`, {
    file: promptsPath,
  });
}

function least(entries: readonly (readonly [string, number])[]): readonly [string, number] {
  return entries.reduce((a, b) => b[1] < a[1] ? b : a);
}
