/** Finds a task by its name, or reads a user's own set, with its documents. @module */
import { readDataFile } from "@/lib/data/demonstrations/data_files.ts";
import { exists } from "@/lib/data/files/paths.ts";
import type { Checker } from "@/lib/model/evals/checker.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { BENCHMARK_TASKS } from "../tasks/named_tasks.ts";
import { ownSetTask } from "../tasks/own_set.ts";
import type { BenchmarkTask } from "../tasks/task.ts";
import { loadDocuments, type TaskDocuments } from "./load_documents.ts";

/** What to look for, and where. */
export interface TaskRequest {
  /** name of a task, or path of a file */
  readonly task: string;
  /** data of a named task; undefined: the bundled data */
  readonly data?: string | undefined;
  readonly limit?: number | undefined;
  /** scores the responses of an own set; see `ownSetTask()` */
  readonly checker?: Checker | undefined;
  /** stop strings of an own set */
  readonly stops?: readonly string[];
}

/** A task with its documents. */
export interface LoadedTask extends TaskDocuments {
  readonly task: BenchmarkTask;
}

/**
 * Returns a task with its first documents.
 * @throws {UsageError} if there is neither a task nor a file of that name
 */
export async function resolveTask(
  { task: name, data, limit, checker, stops }: TaskRequest,
): Promise<LoadedTask> {
  const known = BENCHMARK_TASKS.get(name);
  if (known) return { task: known, ...await loadDocuments(known, data, limit) };
  if (!exists(name)) {
    const names = [...BENCHMARK_TASKS.keys()].join(", ");
    throw new UsageError(`task must be one of ${names}, or the path of a file, got "${name}"`);
  }
  const rows = (await readDataFile(name)).rows.map(({ value }) => value);
  const task = ownSetTask(name, rows, { checker, ...(stops ? { stops } : {}) });
  return { task, docs: rows.slice(0, limit), examples: [] };
}
