/** Outcomes of a benchmark's responses against those of its original: `golden.json` names the task, `cases.jsonl` has the cases. @module */
import { join } from "node:path";
import { z } from "zod";
import { canonicalJson } from "@/lib/data/files/canonical_json.ts";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { readJsonl } from "@/lib/data/files/jsonl.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { BENCHMARK_TASKS } from "@/lib/model/benchmarks/tasks/named_tasks.ts";
import type { Outcome } from "@/lib/model/benchmarks/tasks/task.ts";
import { type Bar, type CheckLine, tally } from "./tally.ts";

/** A line of cases.jsonl. */
const Case = z.object({
  id: z.union([z.string(), z.number()]),
  doc: z.record(z.string(), z.unknown()),
  response: z.string(),
  expected: z.record(z.string(), z.unknown()),
});

/**
 * Checks a directory with golden.json and cases.jsonl: one line per metric and extracted text, with the number of cases that
 * differ. A case that is refused fails them all.
 * @throws {DataError} if golden.json names no known task, or a line of cases.jsonl is invalid
 */
export async function checkBenchmark(directory: string): Promise<CheckLine[]> {
  const path = join(directory, "golden.json"), { task: name } = readJsonObject(path);
  const task = BENCHMARK_TASKS.get(String(name));
  if (task?.output.kind !== "generate") {
    const known = [...BENCHMARK_TASKS.keys()].join(", ");
    throw new DataError(`${path}: task must be one of ${known} with responses, got ${JSON.stringify(name)}`, {
      file: path,
    });
  }
  const { score } = task.output, checks = tally(), list = join(directory, "cases.jsonl");
  for (const { line, value } of readJsonl(list)) {
    const parsed = Case.safeParse(value);
    if (!parsed.success) {
      throw new DataError(`${list}:${line}: must have id, doc, response and expected`, { line });
    }
    const { id, doc, response, expected } = parsed.data;
    const wanted = flat(expected);
    try {
      const actual = flat(resultOf(await score(doc, response)));
      for (const [field, value] of wanted) {
        checks.compare(barOf(field), `case ${id}`, [Number(actual.get(field) === value)], [1]);
      }
    } catch (error) {
      for (const field of wanted.keys()) {
        checks.fail(barOf(field), `case ${id}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  return checks.lines();
}

function barOf(field: string): Bar {
  return { check: field, measure: "differences", bar: 0 };
}

/** Returns an outcome in the form of `expected`: metrics by name, or by filter together with what the filter extracted. */
function resultOf({ metrics, extracted = {} }: Outcome): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(metrics)) {
    const [metric, filter] = key.split(",") as [string, string | undefined];
    if (filter === undefined) result[metric] = value;
    else result[filter] = { extracted: extracted[filter], [metric]: value };
  }
  return result;
}

/** Returns the values by the names of their fields, two levels deep; true counts as 1. */
function flat(result: Readonly<Record<string, unknown>>): Map<string, string> {
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(result)) {
    const isGroup = typeof value === "object" && value !== null && !Array.isArray(value);
    const entries: [string, unknown][] = isGroup
      ? Object.entries(value).map(([name, part]) => [`${key}: ${name}`, part])
      : [[key, value]];
    for (const [name, part] of entries) values.set(name, canonicalJson(numbered(part)));
  }
  return values;
}

function numbered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(numbered);
  return typeof value === "boolean" ? Number(value) : value;
}
