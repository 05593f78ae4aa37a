/** What a model can read: token ids that it has, in rows no longer than its context. @module */
import type { Model } from "@/lib/models/model.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** Rows that a message spells out; the rest is counted. */
const SHOWN = 5;

/** A row of a file. */
export interface NamedIds {
  readonly id: string;
  readonly ids: ArrayLike<number>;
}

/** What the rows are for, as messages say it. */
export interface Reading {
  /** the verb with its preposition: `train on`, `answer` */
  readonly action: string;
  readonly file: string;
  /** where the ids stand */
  readonly column: string;
  /** tokens that follow a row, default 0 */
  readonly newTokens?: number;
}

/**
 * Checks that a model can read rows: row and new tokens within `contextLength`, every id below `vocabSize`. An id
 * beyond the table would read another weight instead of failing.
 * @throws {DataError} naming the rows that do not fit
 */
export function checkFits(
  rows: readonly NamedIds[],
  model: Pick<Model, "contextLength" | "vocabSize">,
  { action, file, column, newTokens = 0 }: Reading,
): void {
  const { contextLength, vocabSize } = model, problems: string[] = [];
  let first: number | undefined;
  rows.forEach(({ id, ids }, row) => {
    const foreign = Array.prototype.find.call(ids, (token: number) => token < 0 || token >= vocabSize);
    const long = ids.length + newTokens > contextLength;
    if (!long && foreign === undefined) return;
    first ??= row;
    const faults = [
      ...(long ? [`${ids.length} tokens`] : []),
      ...(foreign === undefined ? [] : [`id ${foreign}`]),
    ];
    problems.push(`"${id}" has ${faults.join(" and ")}`);
  });
  if (first === undefined) return;
  const room = newTokens > 0
    ? `${contextLength} tokens less ${newTokens} new ones`
    : `${contextLength} tokens`;
  const more = problems.length > SHOWN ? `; and ${problems.length - SHOWN} more` : "";
  throw new DataError(
    `Cannot ${action} ${file} as a row must fit the model's context of ${room} and its ${vocabSize} ids: ` +
      problems.slice(0, SHOWN).join("; ") + more,
    { file, column, row: first },
  );
}
