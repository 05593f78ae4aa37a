/**
 * Builds the prompts of a task: description, few-shot examples and the document, as `fewshot_context()` of lm-evaluation-harness
 * 0.4.13 does.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { PythonRandom } from "../python/random.ts";
import { fillTemplate } from "./fill_template.ts";
import type { BenchmarkDocument, BenchmarkTask, FewShot } from "./task.ts";

/** `fewshot_random_seed` of the harness's command line. */
const FEW_SHOT_SEED = 1234;

/** A message of a prompt. */
export interface PromptMessage extends Readonly<Record<string, unknown>> {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** A prompt as plain text, and as the messages of a conversation whose last is the user's. */
export interface BenchmarkPrompt {
  readonly text: string;
  readonly messages: readonly PromptMessage[];
}

/**
 * Returns a prompt for each document, in order. Random examples are drawn document by document from one generator, so the
 * documents must be the first ones of the task.
 * @param examples rows of the few-shot split
 * @throws {DataError} if there are too few examples, or a field is missing
 */
export function buildPrompts(
  task: BenchmarkTask,
  docs: readonly BenchmarkDocument[],
  examples: readonly BenchmarkDocument[] = [],
): BenchmarkPrompt[] {
  const random = new PythonRandom(FEW_SHOT_SEED);
  return docs.map((doc) => {
    const description = task.description === undefined ? "" : fillTemplate(task.description, doc);
    const shots = task.fewShot === undefined ? [] : shotsOf(task, task.fewShot, { doc, examples, random });
    const question = fillTemplate(task.template, doc);
    const turns = shots.map(([text, target]) => `${text} ${target}\n\n`).join("");
    return {
      text: description + turns + question,
      messages: [
        ...(description === "" ? [] : [{ role: "system" as const, content: description }]),
        ...shots.flatMap(([text, target]) => [
          { role: "user" as const, content: text },
          { role: "assistant" as const, content: target },
        ]),
        { role: "user", content: question },
      ],
    };
  });
}

function shotsOf(task: BenchmarkTask, { count, sampler, group, target }: FewShot, from: {
  readonly doc: BenchmarkDocument;
  readonly examples: readonly BenchmarkDocument[];
  readonly random: PythonRandom;
}): [text: string, target: string][] {
  const pool = group === undefined
    ? from.examples
    : from.examples.filter((example) => example[group] === from.doc[group]);
  if (pool.length < count) {
    const which = group === undefined ? "" : ` with ${group} ${JSON.stringify(from.doc[group])}`;
    throw new DataError(`Task ${task.name} requires ${count} few-shot examples${which}, got ${pool.length}`);
  }
  const positions = sampler === "first"
    ? Array.from({ length: count }, (_, i) => i)
    : from.random.samplePositions(pool.length, count);
  return positions.map((position) => {
    const example = pool[position]!;
    return [fillTemplate(task.template, example), fillTemplate(target, example)];
  });
}
