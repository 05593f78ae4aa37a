/**
 * One message for many bad rows. In: what is wrong, row by row. Out: a DataError that lists it.
 * @module
 */
import { DataError } from "@/lib/tensor/errors.ts";

/** What is wrong with one row. */
export interface Problem {
  /** where: `line 7`, or a row's id */
  readonly at: string;
  readonly line?: number;
  readonly what: string;
}

/** Rows that a message spells out; the rest is counted. */
const SHOWN = 10;

/**
 * Throws when there are problems; `file` and the first line go into the error's `where`.
 * @param requirement completes `Cannot tokenize <file> as …`
 * @throws {DataError} that shows the first ten problems and counts the rest.
 */
export function refuseProblems(file: string, requirement: string, problems: readonly Problem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  const shown = problems.slice(0, SHOWN).map(({ at, what }) => `${at} (${what})`).join(", ");
  const rest = problems.length > SHOWN ? `, and ${problems.length - SHOWN} more` : "";
  const count = `${problems.length} bad row${problems.length === 1 ? "" : "s"}`;
  throw new DataError(
    `Cannot tokenize ${file} as ${requirement}: ${count}: ${shown}${rest}`,
    first.line === undefined ? { file } : { file, line: first.line },
  );
}
