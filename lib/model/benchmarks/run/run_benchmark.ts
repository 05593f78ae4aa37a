/**
 * Runs a task on a model: prompts, responses or log-likelihoods, outcomes.
 * @module
 */
import type { ChatTemplate } from "@/lib/data/text/chat_template.ts";
import type { Work } from "@/lib/model/train/event_loop.ts";
import type { TaskDocuments } from "../data/load_documents.ts";
import { type BenchmarkPrompt, buildPrompts } from "../tasks/build_prompts.ts";
import type { BenchmarkTask, MultipleChoice, Outcome } from "../tasks/task.ts";
import {
  type BenchmarkModel,
  type BenchmarkResponse,
  generateResponses,
  logLikelihoods,
  type ResponseOptions,
} from "./benchmark_model.ts";

/** How a task is run; undefined: the task's own. */
export interface BenchmarkOptions extends Omit<ResponseOptions, "stops" | "maxNewTokens"> {
  readonly maxNewTokens?: number | undefined;
  /** renders prompts as conversations; undefined: plain text, the harness's default */
  readonly chatTemplate?: ChatTemplate | undefined;
  readonly stoppable?: <T>(work: Work<T>) => Work<T>;
}

/** One document's responses and outcomes. */
export interface DocumentResult {
  readonly prompt: string;
  /** outcome of each sample; a multiple-choice task has one */
  readonly outcomes: readonly Outcome[];
  /** empty for multiple choice */
  readonly responses: readonly BenchmarkResponse[];
  /** log-likelihoods of the choices, nats */
  readonly logLikelihoods?: readonly number[];
}

/** All results of a task on a model. */
export interface BenchmarkRun {
  readonly documents: readonly DocumentResult[];
  /** see `BenchmarkResponses` */
  readonly truncated: number;
}

/** Runs the task on its documents. */
export async function runBenchmark(
  model: BenchmarkModel,
  task: BenchmarkTask,
  { docs, examples }: TaskDocuments,
  options: BenchmarkOptions,
): Promise<BenchmarkRun> {
  const prompts = buildPrompts(task, docs, examples).map((prompt) => textOf(prompt, options.chatTemplate));
  const { output } = task, special = options.chatTemplate === undefined;
  if (output.kind === "multiple_choice") {
    const delimiter = special ? " " : "";
    const choices = docs.map((doc) => output.choices(doc));
    const values = await logLikelihoods(
      model,
      prompts.flatMap((context, i) =>
        choices[i]!.map((choice) => ({ context, continuation: delimiter + choice }))
      ),
      { special, ...(options.stoppable ? { stoppable: options.stoppable } : {}) },
    );
    let next = 0;
    const documents = docs.map((doc, i): DocumentResult => {
      const found = values.slice(next, next += choices[i]!.length);
      return {
        prompt: prompts[i]!,
        outcomes: [choiceOutcome(found, choices[i]!, output.gold(doc))],
        responses: [],
        logLikelihoods: found,
      };
    });
    return { documents, truncated: 0 };
  }
  const ids = await model.tokenizer.encodeAll(prompts, { special });
  const { responses, truncated } = await generateResponses(model, ids, {
    ...options,
    stops: output.stops,
    maxNewTokens: options.maxNewTokens ?? output.maxNewTokens,
  });
  const documents: DocumentResult[] = [];
  for (const [i, doc] of docs.entries()) {
    const outcomes: Outcome[] = [];
    for (const { text } of responses[i]!) outcomes.push(await output.score(doc, text));
    documents.push({ prompt: prompts[i]!, outcomes, responses: responses[i]! });
  }
  return { documents, truncated };
}

function textOf({ text, messages }: BenchmarkPrompt, template: ChatTemplate | undefined): string {
  return template === undefined ? text : template.render(messages, { addGenerationPrompt: true }).text;
}

/**
 * Returns `acc` and `acc_norm`: whether the correct choice has the largest log-likelihood, or the largest per character. Of equal
 * ones the first counts, as in NumPy.
 */
export function choiceOutcome(
  values: readonly number[],
  choices: readonly string[],
  gold: ReturnType<MultipleChoice["gold"]>,
): Outcome {
  const normalized = values.map((value, i) => value / [...choices[i]!].length);
  return {
    metrics: {
      acc: Number(firstLargest(values) === gold),
      acc_norm: Number(firstLargest(normalized) === gold),
    },
  };
}

function firstLargest(values: readonly number[]): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
