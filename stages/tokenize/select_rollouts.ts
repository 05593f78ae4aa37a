/** Selects the responses of a model that become demonstrations. @module */
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import type { Checker } from "@/lib/model/evals/checker.ts";
import { jsonObjectIn } from "@/lib/data/files/strict_json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";

/** The selected rows, and counts. */
export interface Selection<Row extends RolloutRow = RolloutRow> {
  readonly rows: readonly Row[];
  /** number of rows in the file */
  readonly offered: number;
  /** number of rows that ended by themselves and are not empty; others are never demonstrations */
  readonly ended: number;
}

/** Returns every row that ended and is not empty. */
export function selectEnded<Row extends RolloutRow>(rows: readonly Row[]): Selection<Row> {
  const ended = rows.filter((row) => hasEnded(row) && !isEmpty(row));
  return { rows: ended, offered: rows.length, ended: ended.length };
}

/**
 * Returns the rows that ended and have a score of at least `threshold`.
 * @throws {DataError} naming the row, if the checker cannot score it
 */
export async function selectByScore<Row extends RolloutRow>(
  rows: readonly Row[],
  options: {
    readonly check: Checker;
    readonly threshold: number;
    /** returns the text of a response without special tokens */
    readonly decode: (ids: Int32Array) => string;
  },
): Promise<Selection<Row>> {
  const ended = selectEnded(rows);
  const inputs = ended.rows.map((row) => ({
    meta: metaOf(row),
    response: options.decode(row.responseIds),
    ended: true,
  }));
  const metrics = await options.check(inputs).catch((error) => {
    const row = error instanceof DataError ? ended.rows[error.where.row ?? -1] : undefined;
    if (row === undefined) throw error;
    throw new DataError(`${error.message} (rollout ${row.id})`, error.where, { cause: error });
  });
  return { ...ended, rows: ended.rows.filter((_, i) => metrics[i]!.score! >= options.threshold) };
}

/** Returns the `fraction` of the rows that ended with the highest rewards; at least one. Ties are ordered by id. */
export function selectByReward<Row extends ScoredRow>(
  rows: readonly Row[],
  fraction: number,
): Selection<Row> {
  const ended = selectEnded(rows);
  const count = Math.max(1, Math.floor(fraction * ended.ended + 1e-9));
  const chosen = new Set<Row>(rankByReward(ended.rows).slice(0, count));
  return { ...ended, rows: ended.rows.filter((row) => chosen.has(row)) };
}

/** Returns for every prompt the row with the highest reward that ended: best-of-n (Stiennon et al. 2020, arXiv:2009.01325). */
export function selectBest<Row extends ScoredRow>(rows: readonly Row[]): Selection<Row> {
  const ended = selectEnded(rows);
  const best = new Set([...byPrompt(ended.rows).values()].map((responses) => rankByReward(responses)[0]!));
  return { ...ended, rows: ended.rows.filter((row) => best.has(row)) };
}

/** Returns rows sorted by reward, highest first. Ties are ordered by id. */
export function rankByReward<Row extends Pick<ScoredRow, "id" | "reward">>(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => b.reward - a.reward || (a.id < b.id ? -1 : 1));
}

/** Returns rows grouped by the ids of their prompt, in the order of the file. */
export function byPrompt<Row extends { readonly promptIds: ArrayLike<number> }>(
  rows: readonly Row[],
): Map<string, Row[]> {
  return Map.groupBy(rows, ({ promptIds }) => Array.prototype.join.call(promptIds));
}

/** Returns whether the model ended the response by itself. */
export function hasEnded({ finishReason }: RolloutRow): boolean {
  return finishReason !== "length";
}

/** Returns whether a response is only an end token, and so not a demonstration. */
export function isEmpty({ finishReason, responseIds }: RolloutRow): boolean {
  return finishReason === "eos" && responseIds.length === 1;
}

function metaOf(row: RolloutRow): Readonly<Record<string, unknown>> {
  const meta = jsonObjectIn(row.meta);
  if (meta !== undefined) return meta;
  const found = `${JSON.stringify(row.meta)} (rollout ${row.id})`;
  throw new DataError(`meta must be a JSON object, got ${found}`, { column: "meta" });
}
