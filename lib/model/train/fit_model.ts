/** Checks that rows fit a model: their length its context, their token ids its vocabulary. @module */
import type { Model } from "@/lib/model/models/model.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

/** A row of a file. */
export interface NamedIds {
  readonly id: string;
  readonly ids: ArrayLike<number>;
}

/** Source of the rows, for messages. */
export interface RowSource {
  readonly file: string;
  /** column of the ids */
  readonly column: string;
  /** number of tokens that will follow a row, default 0 */
  readonly newTokens?: number;
}

/**
 * Checks that rows and their new tokens fit `contextLength` and that every id is in the vocabulary. A larger id would
 * not fail later: it would read another weight.
 * @throws {DataError} naming the rows that do not fit
 */
export function checkFits(
  rows: readonly NamedIds[],
  { contextLength, vocabSize }: Pick<Model, "contextLength" | "vocabSize">,
  { file, column, newTokens = 0 }: RowSource,
): void {
  const problems: string[] = [];
  let first: number | undefined;
  rows.forEach(({ id, ids }, row) => {
    const faults: string[] = [];
    if (ids.length + newTokens > contextLength) faults.push(`${ids.length} tokens`);
    const foreign = Array.prototype.find.call(ids, (token: number) => token < 0 || token >= vocabSize);
    if (foreign !== undefined) faults.push(`id ${foreign}`);
    if (faults.length === 0) return;
    first ??= row;
    problems.push(`"${id}" with ${faults.join(" and ")}`);
  });
  if (first === undefined) return;
  const reason = `the model's context of ${contextLength}${
    newTokens > 0 ? ` minus ${newTokens} new ones` : ""
  }`;
  throw new DataError(
    `${file}: a row must have at most ${
      contextLength - newTokens
    } tokens (${reason}) and ids below ${vocabSize}, got ` +
      listed(problems, { most: 5 }),
    { file, column, row: first },
  );
}
