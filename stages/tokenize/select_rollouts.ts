/**
 * Which of a model's answers become demonstrations. In: rollouts, scored or not. Out: the chosen ones, in their order.
 * @module
 */
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import type { Checker } from "@/lib/evals/checker.ts";
import { isJsonObject } from "@/lib/files/strict_json.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** What was chosen, and from how many. */
export interface Selection<Row extends RolloutRow = RolloutRow> {
  readonly rows: readonly Row[];
  /** rows of the file */
  readonly offered: number;
  /** rows that ended by themselves with a token before the end; others are never demonstrations */
  readonly ended: number;
}

/** Every row that ended and says something. */
export function selectEnded<Row extends RolloutRow>(rows: readonly Row[]): Selection<Row> {
  const ended = rows.filter((row) => hasEnded(row) && !isSilent(row));
  return { rows: ended, offered: rows.length, ended: ended.length };
}

/**
 * The rows that ended and score at least `threshold`.
 * @param decode text of a response, without special tokens
 * @throws {DataError} naming the row, if the checker cannot score it
 */
export function selectByScore<Row extends RolloutRow>(
  rows: readonly Row[],
  options: {
    readonly check: Checker;
    readonly threshold: number;
    readonly decode: (ids: Int32Array) => string;
  },
): Selection<Row> {
  const ended = selectEnded(rows);
  const chosen = ended.rows.filter((row) => {
    try {
      const figures = options.check({
        meta: metaOf(row),
        response: options.decode(row.responseIds),
        ended: true,
      });
      return figures.score! >= options.threshold;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      throw new DataError(`${error.message} (rollout ${row.id})`, error.where, { cause: error });
    }
  });
  return { ...ended, rows: chosen };
}

/** The best `fraction` of the rows that ended, by reward; at least one. Equal rewards: in the order of their ids. */
export function selectByReward<Row extends ScoredRow>(
  rows: readonly Row[],
  fraction: number,
): Selection<Row> {
  const ended = selectEnded(rows);
  const count = Math.max(1, Math.floor(fraction * ended.ended + 1e-9));
  const chosen = new Set<Row>(rankByReward(ended.rows).slice(0, count));
  return { ...ended, rows: ended.rows.filter((row) => chosen.has(row)) };
}

/** For every prompt, the row of highest reward of those that ended: best-of-n (Stiennon et al. 2020, arXiv:2009.01325). */
export function selectBest<Row extends ScoredRow>(rows: readonly Row[]): Selection<Row> {
  const ended = selectEnded(rows);
  const best = new Set([...byPrompt(ended.rows).values()].map((answers) => rankByReward(answers)[0]!));
  return { ...ended, rows: ended.rows.filter((row) => best.has(row)) };
}

/** Best reward first. Equal rewards: in the order of their ids. */
export function rankByReward<Row extends Pick<ScoredRow, "id" | "reward">>(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => b.reward - a.reward || (a.id < b.id ? -1 : 1));
}

/** Rows by the ids of their prompt, in the order of the file. */
export function byPrompt<Row extends { readonly promptIds: ArrayLike<number> }>(
  rows: readonly Row[],
): Map<string, Row[]> {
  return Map.groupBy(rows, ({ promptIds }) => Array.prototype.join.call(promptIds));
}

/** Whether the model ended the answer by itself. */
export function hasEnded({ finishReason }: RolloutRow): boolean {
  return finishReason !== "length";
}

/** Whether an answer is nothing but its end: worse than others, perhaps, but nothing to learn from. */
export function isSilent({ finishReason, responseIds }: RolloutRow): boolean {
  return finishReason === "eos" && responseIds.length === 1;
}

function metaOf(row: RolloutRow): Readonly<Record<string, unknown>> {
  let meta: unknown;
  try {
    meta = JSON.parse(row.meta);
  } catch {
    meta = undefined; // refused below, with what it is
  }
  if (isJsonObject(meta)) return meta;
  throw new DataError(
    `Cannot check a response as its "meta" must be a JSON object: it is ${JSON.stringify(row.meta)}`,
    {
      column: "meta",
    },
  );
}
