/** Loads the rows of a task: bundled ones, or a local file or directory of files. @module */
import { dataFiles, readDataFile as readRows } from "@/lib/data/demonstrations/data_files.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { basename } from "node:path";
import { readDataFile } from "../data_file.ts";
import type { BenchmarkDocument, BenchmarkTask, TaskSource } from "../tasks/task.ts";

/** The documents of a task and its few-shot examples. */
export interface TaskDocuments {
  readonly docs: readonly BenchmarkDocument[];
  readonly examples: readonly BenchmarkDocument[];
}

/**
 * Returns the documents of a task.
 * @param path a file, or a directory whose files are named after their splits; undefined: the bundled data
 * @param limit only the first documents
 * @throws {UsageError} if the task has no bundled data and no path is given
 * @throws {DataError} if a split has no file, or a file is invalid
 */
export async function loadDocuments(
  task: BenchmarkTask,
  path: string | undefined,
  limit = Infinity,
): Promise<TaskDocuments> {
  const prepared = (rows: readonly BenchmarkDocument[]) => task.documents?.(rows) ?? rows;
  const docs = prepared(await rowsOf(task, task.source, path));
  const examples = task.fewShot ? prepared(await rowsOf(task, task.fewShot.source, path)) : [];
  return { docs: docs.slice(0, limit), examples };
}

async function rowsOf(
  task: BenchmarkTask,
  source: TaskSource,
  path: string | undefined,
): Promise<BenchmarkDocument[]> {
  if (path === undefined) {
    if (source.file === undefined) {
      throw new UsageError(
        `Task ${task.name} requires --data ${task.name}=PATH or --data ${task.name}=hf:datasets/${source.dataset}@REVISION`,
      );
    }
    return readDataFile(source.file).split("\n").filter((line) => line !== "")
      .map((line) => JSON.parse(line) as BenchmarkDocument);
  }
  const all = dataFiles(path), files = all.length === 1 && all[0] === path ? all : splitFiles(all, source);
  if (files.length === 0) {
    const names = all.map((file) => basename(file)).join(", ");
    throw new DataError(`${path} must hold a file of the split ${source.split}, got ${names}`, {
      file: path,
    });
  }
  const rows: BenchmarkDocument[] = [];
  for (const file of files) for (const { value } of (await readRows(file)).rows) rows.push(value);
  return rows;
}

/** Returns the files of a split: `test.jsonl`, `test-00000-of-00001.parquet`, `gsm8k_test.jsonl`, `gpqa_main.csv`. */
function splitFiles(files: readonly string[], { split, configuration }: TaskSource): string[] {
  const has = (part: string) => files.filter((file) => basename(file).split(/[-._]/).includes(part));
  const bySplit = has(split);
  if (bySplit.length > 0 || configuration === undefined) return bySplit;
  return files.filter((file) => basename(file).startsWith(configuration));
}
