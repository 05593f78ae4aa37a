/**
 * Pairs to learn a preference from: the best answer of a model against its worst, or a demonstration against the model's
 * own answer. In: demonstrations that are learned, and answers. Out: rows of `pairs@1`.
 * @module
 */
import type { PairRow } from "@/lib/contracts/pairs.ts";
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { type Problem, refuseProblems } from "@/lib/demonstrations/problems.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Tokenizer } from "@/lib/text/tokenizer.ts";
import { endOnce } from "./encode_rows.ts";
import type { Params } from "./params.ts";
import { byPrompt, hasEnded, isSilent, rankByReward } from "./select_rollouts.ts";
import type { FittedSample, Source } from "./token_sets.ts";

/** The answers that pairs are made of, and how. */
export type PairSource =
  | { readonly kind: "best_worst"; readonly answers: Source<ScoredRow> }
  | { readonly kind: "spin"; readonly answers: Source<RolloutRow> };

/** The pairs, and what became of the answers. */
export interface PairSet {
  readonly rows: readonly PairRow[];
  /** answers that were offered */
  readonly offered: number;
  /** distinct prompts of the pairs */
  readonly prompts: number;
  /** pairs whose two answers are equal or of equal reward: there is nothing to prefer */
  readonly tied: number;
  /** pairs with an answer that does not fit max_length */
  readonly dropped: number;
}

interface Candidate extends PairRow {
  /** ids of the answers, for messages */
  readonly at: string;
}

/** What both kinds go by. */
export interface PairSettings {
  readonly truncation: Params["truncation"];
  /** tokens of prompt and answer together */
  readonly maxLength: number;
}

/**
 * Makes the pairs for the prompts that `learned` holds; those held back for validation, or not drawn, get none.
 * @param learned the demonstrations to learn
 * @throws {DataError} listing answers that are too long (unless they may be dropped) or end twice, or if no pair is left
 */
export function makePairs(
  tokenizer: Pick<Tokenizer, "eosIds" | "decode">,
  source: PairSource,
  learned: readonly FittedSample[],
  { truncation, maxLength }: PairSettings,
): PairSet {
  const { file } = source.answers, problems: Problem[] = [];
  const endOf = (row: RolloutRow): Int32Array => {
    if (row.finishReason === "length" || isSilent(row)) return row.responseIds;
    const ended = endOnce(tokenizer, [...row.responseIds]);
    if ("ids" in ended) return Int32Array.from(ended.ids);
    problems.push({ at: `rollout ${row.id}`, what: ended.problem });
    return row.responseIds;
  };
  const all = source.kind === "spin"
    ? spinPairs(source.answers.rows, learned, endOf)
    : bestWorstPairs(source.answers.rows, learned, endOf);
  refuseProblems(file, "an answer must hold an end token at its end alone", problems);
  const { candidates, tied } = all;
  const lengthOf = ({ promptIds, chosenIds, rejectedIds }: PairRow): number =>
    promptIds.length + Math.max(chosenIds.length, rejectedIds.length);
  const tooLong = candidates.filter((pair) => lengthOf(pair) > maxLength);
  if (truncation === "error") {
    refuseProblems(
      file,
      `prompt and answer of a pair must have at most ${maxLength} tokens (or --truncation drop, left, right)`,
      tooLong.map((pair) => ({ at: `rollout ${pair.at}`, what: `${lengthOf(pair)} tokens` })),
    );
  }
  const rows = candidates.filter((pair) => lengthOf(pair) <= maxLength);
  const offered = source.answers.rows.length, dropped = tooLong.length;
  if (rows.length > 0) {
    return {
      rows,
      offered,
      tied,
      dropped,
      prompts: new Set(rows.map(({ promptIds }) => keyOf(promptIds))).size,
    };
  }
  throw new DataError(
    `Cannot make ${source.kind} pairs of ${file} as ${
      WANTED[source.kind]
    }: ${offered} answers give no pair, ` +
      `${tied} would be tied, ${dropped} too long`,
    { file },
  );
}

const WANTED: Readonly<Record<PairSource["kind"], string>> = {
  best_worst: "two answers to a prompt must have ended with different rewards",
  spin: "answers must be to the prompts of demonstrations",
};

/** Per prompt, the answer of highest reward against that of lowest, of those that ended. */
function bestWorstPairs(
  answers: readonly ScoredRow[],
  learned: readonly FittedSample[],
  endOf: (row: RolloutRow) => Int32Array,
): { readonly candidates: readonly Candidate[]; readonly tied: number } {
  const prompts = new Set(learned.map(({ promptIds }) => keyOf(promptIds)));
  const candidates: Candidate[] = [];
  let tied = 0;
  for (const [prompt, rows] of byPrompt(answers.filter(hasEnded))) {
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
 * Demonstrations against the model's own answers to their prompts, whether or not these came to an end (Chen et al.
 * 2024, arXiv:2401.01335, algorithm 1). Where a prompt has several of either, they are dealt in turn until each has been
 * in a pair.
 */
function spinPairs(
  answers: readonly RolloutRow[],
  learned: readonly FittedSample[],
  endOf: (row: RolloutRow) => Int32Array,
): { readonly candidates: readonly Candidate[]; readonly tied: number } {
  const own = byPrompt(answers), candidates: Candidate[] = [];
  let tied = 0;
  for (const [prompt, demonstrations] of byPrompt(learned.filter(({ isCut }) => !isCut))) {
    const rejected = own.get(prompt);
    if (rejected === undefined) continue;
    for (let k = 0; k < Math.max(demonstrations.length, rejected.length); k++) {
      const demonstration = demonstrations[k % demonstrations.length]!,
        answer = rejected[k % rejected.length]!;
      const chosenIds = firstAnswer(demonstration), rejectedIds = endOf(answer);
      if (keyOf(chosenIds) === keyOf(rejectedIds) || rejectedIds.length === 0) tied++;
      else candidates.push({ at: answer.id, promptIds: answer.promptIds, chosenIds, rejectedIds });
    }
  }
  return { candidates, tied };
}

/** What a demonstration answers to its prompt: in a conversation, up to the end of its first answer. */
function firstAnswer({ responseIds, responseMask }: FittedSample): Int32Array {
  const end = responseMask?.indexOf(0) ?? -1;
  return Int32Array.from(end < 0 ? responseIds : responseIds.slice(0, end));
}

function keyOf(ids: ArrayLike<number>): string {
  return Array.prototype.join.call(ids);
}
