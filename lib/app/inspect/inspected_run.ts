/** What the commands that inspect a run share: its directory, and run.lock.yaml. @module */
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import { join, resolve } from "node:path";
import { readRunLock, type RunLock } from "@/lib/pipeline/engine/run_directory.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { workingDirectory } from "../parent.ts";

/** Returns the absolute path of a run directory as a user names it; default: that of the quickstart. */
export function namedRun(word = "runs/quickstart"): string {
  return resolve(workingDirectory(), word);
}

/** Reads run.lock.yaml of `runDir`. @throws {UsageError} if there is none, or it is damaged */
export function requireRunLock(runDir: string): RunLock {
  const lock = readRunLock(runDir);
  if (lock === undefined) {
    throw new UsageError(`Expected a run directory with run.lock.yaml, got ${runDir}`);
  }
  return lock;
}

/** Returns the store of `runDir`, or the one that a flag names. */
export function storeOf(runDir: string, flag: string | undefined): string {
  return flag === undefined ? join(runDir, "store") : resolve(workingDirectory(), flag);
}

/** Returns `text` without control characters other than the ends of its lines. */
export function escapedLines(text: string): string {
  return text.split("\n").map(escapeControls).join("\n");
}
