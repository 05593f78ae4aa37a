/**
 * Users' own sets: rows with `prompt` and what a right response is, as `answer`, `regex`, `schema`, `choices`, or by a module.
 * @module
 */
import { type Schema, Validator } from "@cfworker/json-schema";
import { basename } from "node:path";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import type { Checker } from "@/lib/model/evals/checker.ts";
import { compilePattern } from "@/lib/model/evals/pattern.ts";
import { strip } from "../python/text.ts";
import type { BenchmarkDocument, BenchmarkTask, Outcome } from "./task.ts";

/** How a set is scored. */
interface OwnSetOptions {
  /** scores all rows; undefined: every row says how */
  readonly checker?: Checker | undefined;
  readonly maxNewTokens?: number;
  readonly stops?: readonly string[];
}

const KINDS = ["answer", "regex", "schema"] as const;

/**
 * Returns a task of a user's rows. With `choices`, `answer` is a position or one of their texts, and log-likelihoods are compared.
 * Else the whole response without white space around it must equal `answer` (or one of a list), the `regex` must match somewhere,
 * or the response must be JSON of the `schema`: the metric `correct`.
 * @throws {DataError} listing the rows that say not, or not in one way, how they are scored
 */
export function ownSetTask(
  path: string,
  rows: readonly BenchmarkDocument[],
  { checker, maxNewTokens = 256, stops = [] }: OwnSetOptions = {},
): BenchmarkTask {
  const hasChoices = checker === undefined && rows.some((row) => row.choices !== undefined);
  const problems = rows.flatMap((row, i) =>
    problemsOf(row, i + 1, { hasChoices, isChecked: checker !== undefined })
  );
  if (problems.length > 0) throw new DataError(`${path}: ${listed(problems)}`, { file: path });
  return {
    name: basename(path).replace(/\.[^.]+$/, ""),
    version: "own",
    origin: path,
    source: { dataset: path, split: "test" },
    template: "{{prompt}}",
    output: hasChoices
      ? { kind: "multiple_choice", choices: (doc) => (doc.choices as unknown[]).map(String), gold: goldOf }
      : { kind: "generate", stops, maxNewTokens, score: (doc, response) => score(doc, response, checker) },
  };
}

function problemsOf(
  row: BenchmarkDocument,
  line: number,
  { hasChoices, isChecked }: { readonly hasChoices: boolean; readonly isChecked: boolean },
): string[] {
  const problems: string[] = [];
  if (typeof row.prompt !== "string") problems.push(`row ${line}: requires a text "prompt"`);
  if (hasChoices) {
    const isList = Array.isArray(row.choices) && row.choices.length > 1;
    if (!isList) problems.push(`row ${line}: requires a list "choices" of at least 2, as other rows`);
    else if (goldOf(row) < 0) {
      problems.push(`row ${line}: requires "answer", a position in choices or one of them`);
    }
  } else if (!isChecked) {
    const given = KINDS.filter((kind) => row[kind] !== undefined);
    if (given.length !== 1) {
      problems.push(
        `row ${line}: requires one of answer, regex, schema, choices, got ${given.join(", ") || "none"}`,
      );
    }
    if (row.schema !== undefined && !isJsonObject(row.schema)) {
      problems.push(`row ${line}: schema must be an object`);
    }
    if (row.regex !== undefined) compilePattern(String(row.regex));
  }
  return problems;
}

function goldOf(doc: BenchmarkDocument): number {
  const choices = Array.isArray(doc.choices) ? doc.choices : [];
  if (typeof doc.answer === "number") return doc.answer in choices ? doc.answer : -1;
  return choices.indexOf(doc.answer);
}

async function score(
  doc: BenchmarkDocument,
  response: string,
  checker: Checker | undefined,
): Promise<Outcome> {
  if (checker !== undefined) {
    return { metrics: (await checker([{ meta: doc, response, ended: true }]))[0]! };
  }
  if (doc.regex !== undefined) {
    return { metrics: { correct: Number(compilePattern(String(doc.regex)).test(response)) } };
  }
  if (doc.schema !== undefined) {
    return { metrics: { correct: Number(isValid(response, doc.schema as Schema)) } };
  }
  const answers = (Array.isArray(doc.answer) ? doc.answer : [doc.answer]).map((answer) =>
    strip(String(answer))
  );
  return { metrics: { correct: Number(answers.includes(strip(response))) } };
}

function isValid(response: string, schema: Schema): boolean {
  try {
    return new Validator(schema, "2020-12").validate(JSON.parse(response)).valid;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
