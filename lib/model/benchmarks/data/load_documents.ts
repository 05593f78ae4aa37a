/** Loads the rows of a task: bundled ones, or a local file or directory of files. @module */
import { readDataFile } from "@/lib/data/demonstrations/data_files.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { isDirectory } from "@/lib/data/files/paths.ts";
import { basename, join, relative } from "node:path";
import { bundledText } from "../data_file.ts";
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
    return bundledText(source.file).split("\n").filter((line) => line !== "")
      .map((line) => JSON.parse(line) as BenchmarkDocument);
  }
  const isOne = !isDirectory(path);
  const all = isOne ? [path] : filesBelow(path), files = isOne ? all : splitFiles(path, all, source);
  if (files.length === 0) {
    const names = listed(all.map((file) => relative(path, file)), { separator: ", " }) || "no data files";
    throw new DataError(`${path} must hold a file of the split ${source.split}, got ${names}`, {
      file: path,
    });
  }
  const rows: BenchmarkDocument[] = [];
  for (const file of files) for (const { value } of (await readDataFile(file)).rows) rows.push(value);
  return rows;
}

const DATA_FILE = /\.(jsonl|ndjson|json|csv|tsv|parquet|arrow)$/;

function filesBelow(folder: string): string[] {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap(({ name, isDirectory: isFolder }) => {
    const path = join(folder, name);
    return isFolder ? filesBelow(path) : DATA_FILE.test(name) ? [path] : [];
  });
}

/**
 * Returns the files of a split, by their names: `test.jsonl`, `main/test-00000-of-00001.parquet`, `gsm8k_test.jsonl`, or those that
 * begin with the configuration, as `gpqa_main.csv`.
 */
function splitFiles(
  folder: string,
  files: readonly string[],
  { split, configuration }: TaskSource,
): readonly string[] {
  const partsOf = (file: string) => relative(folder, file).split("/");
  const inFolder = files.filter((file) =>
    configuration !== undefined && partsOf(file).slice(0, -1).includes(configuration)
  );
  const candidates = inFolder.length > 0 ? inFolder : files;
  const named = candidates.filter((file) =>
    configuration !== undefined && basename(file).startsWith(configuration)
  );
  if (named.length > 0) return named;
  return candidates.filter((file) => basename(file).split(/[-._]/).includes(split));
}
