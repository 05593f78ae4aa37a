/**
 * The last run of a run directory as its log has it, whether that run is over or not.
 * @module
 */
import { join } from "node:path";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { jsonObjectIn } from "@/lib/data/files/strict_json.ts";
import { isMissing } from "@/lib/data/files/paths.ts";
import { holderOf } from "@/lib/pipeline/engine/run_directory.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** The last run of a run directory. */
export interface RecordedRun {
  readonly runDir: string;
  /** from `run_started` on */
  readonly events: readonly RunEvent[];
  /** process that executes the run; undefined: none does */
  readonly process: number | undefined;
}

/** Reads the last run of `runDir`. @throws {UsageError} if there is none */
export function readRecordedRun(runDir: string): RecordedRun {
  // Before the log, as a run that ends meanwhile writes its last event and then releases the directory.
  const process = holderOf(runDir);
  const lines = readLog(runDir).split("\n").filter((line) => line !== "");
  const begin = lines.findLastIndex((line) => line.includes('"type":"run_started"'));
  const events = lines.slice(Math.max(0, begin)).flatMap((line) =>
    (jsonObjectIn(line) as unknown as RunEvent | undefined) ?? []
  );
  if (events[0]?.type !== "run_started") throw new UsageError(`${runDir} has no run`);
  return { runDir, events, process };
}

function readLog(runDir: string): string {
  const path = join(runDir, "run.jsonl");
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new UsageError(`Expected a run directory with run.jsonl, got ${runDir}`, { cause });
  }
}
