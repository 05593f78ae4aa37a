/**
 * Makes preference pairs (rows of `pairs@1`): a model's best and worst response to a prompt, or a demonstration and the model's
 * response.
 * @module
 */
import type { PairRow } from "@/lib/data/contracts/pairs.ts";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { refuseProblems, type RowProblem } from "@/lib/data/demonstrations/problems.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { endOnce } from "./encode_rows.ts";
import type { Params } from "./params.ts";
import { byPrompt, hasEnded, isEmpty, rankByReward } from "./select_rollouts.ts";
import type { Source } from "./samples.ts";
import type { FittedSample } from "./token_sets.ts";

/** The responses for pairs, and the kind of pairs. */
export type PairSource =
  | { readonly kind: "best_worst"; readonly responses: Source<ScoredRow> }
  | { readonly kind: "spin"; readonly responses: Source<RolloutRow> };

/** The pairs, and counts of the responses. */
export interface PairSet {
  readonly rows: readonly PairRow[];
  /** number of responses in the file */
  readonly offered: number;
  /** number of distinct prompts of the pairs */
  readonly prompts: number;
  /** number of pairs that were left out because both responses are equal or have the same reward */
  readonly tied: number;
  /** number of pairs with a response that exceeds max_length */
  readonly dropped: number;
}

interface Candidate extends PairRow {
  /** ids of the responses, for messages */
  readonly at: string;
}

/** Limits of pairs. */
export interface PairSettings {
  readonly truncation: Params["truncation"];
  /** maximum tokens of prompt and response together */
  readonly maxLength: number;
}

/**
 * Makes the pairs for the prompts of the training demonstrations; held-out prompts and those that were not drawn get none.
 * @throws {DataError} listing responses that are too long (unless they are dropped) or have an end token inside, or if no pair
 *   is left
 */
export function makePairs(
  tokenizer: Pick<Tokenizer, "eosIds" | "decode">,
  source: PairSource,
  train: readonly FittedSample[],
  { truncation, maxLength }: PairSettings,
): PairSet {
  const { file, rows: responses } = source.responses, problems: RowProblem[] = [];
  const endOf = (row: RolloutRow): Int32Array => {
    if (row.finishReason === "length" || isEmpty(row)) return row.responseIds;
    const ended = endOnce(tokenizer, [...row.responseIds]);
    if ("ids" in ended) return Int32Array.from(ended.ids);
    problems.push({ at: `rollout ${row.id}`, what: ended.problem });
    return row.responseIds;
  };
  const { candidates, tied } = source.kind === "spin"
    ? spinPairs(source.responses.rows, train, endOf)
    : bestWorstPairs(source.responses.rows, train, endOf);
  refuseProblems(file, "a response must have no end token except at its end", problems);
  const lengthOf = ({ promptIds, chosenIds, rejectedIds }: PairRow): number =>
    promptIds.length + Math.max(chosenIds.length, rejectedIds.length);
  const tooLong = candidates.filter((pair) => lengthOf(pair) > maxLength);
  if (truncation === "error") {
    refuseProblems(
      file,
      `prompt and response of a pair must have at most ${maxLength} tokens (or use --truncation drop, left or right)`,
      tooLong.map((pair) => ({ at: `rollout ${pair.at}`, what: `${lengthOf(pair)} tokens` })),
    );
  }
  const rows = candidates.filter((pair) => lengthOf(pair) <= maxLength);
  const offered = responses.length, dropped = tooLong.length;
  const prompts = new Set(rows.map(({ promptIds }) => keyOf(promptIds))).size;
  if (rows.length > 0) return { rows, offered, tied, dropped, prompts };
  const required = source.kind === "spin"
    ? "responses to the prompts of demonstrations"
    : "two ended responses to a prompt with different rewards";
  throw new DataError(
    `${file}: pairs=${source.kind} requires ${required}, got no pair from ${offered} responses (${tied} tied, ` +
      `${dropped} too long)`,
    { file },
  );
}

/** Returns for every prompt the response with the highest reward and the one with the lowest, of those that ended. */
function bestWorstPairs(
  responses: readonly ScoredRow[],
  train: readonly FittedSample[],
  endOf: (row: RolloutRow) => Int32Array,
): { readonly candidates: readonly Candidate[]; readonly tied: number } {
  const prompts = new Set(train.map(({ promptIds }) => keyOf(promptIds)));
  const candidates: Candidate[] = [];
  let tied = 0;
  for (const [prompt, rows] of byPrompt(responses.filter(hasEnded))) {
    if (!prompts.has(prompt) || rows.length < 2) continue;
    const ranked = rankByReward(rows), best = ranked[0]!, worst = ranked.at(-1)!;
    if (best.reward === worst.reward) tied++;
    else {
      candidates.push({
        at: `${best.id} or ${worst.id}`,
        promptIds: best.promptIds,
        chosenIds: endOf(best),
        rejectedIds: endOf(worst),
      });
    }
  }
  return { candidates, tied };
}

/**
 * Returns demonstrations with the model's responses to their prompts, truncated or not (Chen et al. 2024, arXiv:2401.01335,
 * algorithm 1). If a prompt has several of either, they are combined in turn until each is in a pair.
 */
function spinPairs(
  responses: readonly RolloutRow[],
  train: readonly FittedSample[],
  endOf: (row: RolloutRow) => Int32Array,
): { readonly candidates: readonly Candidate[]; readonly tied: number } {
  const byTheirPrompt = byPrompt(responses), candidates: Candidate[] = [];
  let tied = 0;
  for (const [prompt, demonstrations] of byPrompt(train.filter(({ isTruncated }) => !isTruncated))) {
    const rejected = byTheirPrompt.get(prompt);
    if (rejected === undefined) continue;
    for (let k = 0; k < Math.max(demonstrations.length, rejected.length); k++) {
      const chosenIds = firstResponse(demonstrations[k % demonstrations.length]!);
      const response = rejected[k % rejected.length]!, rejectedIds = endOf(response);
      if (keyOf(chosenIds) === keyOf(rejectedIds) || rejectedIds.length === 0) tied++;
      else candidates.push({ at: response.id, promptIds: response.promptIds, chosenIds, rejectedIds });
    }
  }
  return { candidates, tied };
}

/** Returns the response of a demonstration: in a conversation, the first one. */
function firstResponse({ responseIds, responseMask }: FittedSample): Int32Array {
  const end = responseMask?.indexOf(0) ?? -1;
  return Int32Array.from(end < 0 ? responseIds : responseIds.slice(0, end));
}

function keyOf(ids: ArrayLike<number>): string {
  return Array.prototype.join.call(ids);
}
