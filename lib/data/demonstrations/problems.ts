/** Reports many bad rows in one message. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

/** The problem of one row. */
export interface RowProblem {
  /** place of the row: `line 7`, or a row's id */
  readonly at: string;
  readonly line?: number | undefined;
  readonly what: string;
}

/**
 * Throws if there are problems; `file` and the first line go into the error's `where`.
 * @param requirement what holds for valid rows, for example `every row must have a unique id`
 * @throws {DataError} that lists the first ten problems and counts the others
 */
export function refuseProblems(file: string, requirement: string, problems: readonly RowProblem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  const shown = listed(problems.map(({ at, what }) => `${at} (${what})`), { separator: ", " });
  const count = `${problems.length} bad row${problems.length === 1 ? "" : "s"}`;
  throw new DataError(
    `${file}: ${requirement}, got ${count}: ${shown}`,
    first.line === undefined ? { file } : { file, line: first.line },
  );
}
