/**
 * Demonstrations that members have not seen, and what the reward makes of them. A member that was trained on a random part of the
 * demonstrations has not seen the rest, so no demonstration has to be set aside (out-of-bag, Breiman 1996).
 * In: `tokens@1` rows, log-probabilities. Out: rows to score, statistics. Pure.
 * @module
 */
import type { PromptRow } from "@/lib/data/contracts/prompts.ts";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { TokenRow } from "@/lib/data/contracts/tokens.ts";
import { type RewardLogprobs, type RewardRule, scoredRows } from "@/lib/model/reward/scored_rows.ts";
import { moments, sampleDeviation } from "@/lib/model/rl/moments.ts";

/** A demonstration with the members that have not seen it. */
export interface HeldOut {
  readonly id: string;
  readonly promptIds: Int32Array;
  readonly responseIds: Int32Array;
  /** indices of members, ascending; at least one */
  readonly unseenBy: readonly number[];
}

/** What the reward makes of held-out demonstrations. */
export interface Preference {
  readonly demonstrations: number;
  readonly samples_per_prompt: number;
  /**
   * share of pairs of a held-out demonstration and an SFT response to its prompt in which the demonstration has the higher reward;
   * equal rewards count half
   */
  readonly preference: number;
  /** standard error of `preference` over demonstrations; 0 for one */
  readonly preference_stderr: number;
  /** mean change of the log-likelihood of a held-out demonstration by best-of-4 sampling, nats; see {@linkcode bestOfFour} */
  readonly best_of_4_loglik: number;
  readonly best_of_4_loglik_stderr: number;
  /**
   * share of what members have learned about demonstrations that holds only for those they were trained on:
   * (NLL unseen − NLL seen) / (base NLL − NLL seen); null if no demonstration is both seen and unseen, or nothing was learned
   */
  readonly memorised_share: number | null;
}

/** Best-of-n for which the likelihood is computed. */
const BEST_OF = 4;
/** Its mean for a reward that is independent of the responses: log n + (n − 1) E[log U] with U uniform. */
export const RANDOM_BEST_OF_4 = Math.log(BEST_OF) - (BEST_OF - 1);

/**
 * Returns the demonstrations with the members that have not seen them, in the order of the files, each once.
 * @param files the rows that each member has not seen; a single file counts for all members
 */
export function heldOut(files: readonly (readonly TokenRow[])[], members: number): HeldOut[] {
  const found = new Map<string, { row: TokenRow; unseenBy: number[] }>();
  const ofMembers = files.length === 1 ? Array.from({ length: members }, () => files[0]!) : files;
  ofMembers.forEach((rows, k) => {
    for (const row of rows) {
      const known = found.get(row.id) ?? { row, unseenBy: [] };
      known.unseenBy.push(k);
      found.set(row.id, known);
    }
  });
  return [...found.values()].flatMap(({ row, unseenBy }) => {
    const response = lastResponse(row);
    return response ? [{ id: row.id, ...response, unseenBy }] : [];
  });
}

/** Splits a conversation before its last response; undefined without one, or without a prompt. */
function lastResponse(
  { inputIds, lossMask }: TokenRow,
): Pick<HeldOut, "promptIds" | "responseIds"> | undefined {
  const end = lossMask.lastIndexOf(1) + 1;
  let start = end;
  while (start > 0 && lossMask[start - 1] === 1) start--;
  if (start === 0 || start === end) return undefined;
  return { promptIds: inputIds.slice(0, start), responseIds: inputIds.slice(start, end) };
}

/** Returns the demonstrations as rows that can be scored. */
export function asRollouts(demonstrations: readonly HeldOut[], eosIds: readonly number[]): RolloutRow[] {
  return demonstrations.map(({ id, promptIds, responseIds }) => ({
    id,
    promptId: id,
    sample: 0,
    promptIds,
    responseIds,
    logprobs: new Float32Array(responseIds.length),
    logprobsT1: null,
    finishReason: eosIds.includes(responseIds.at(-1)!) ? "eos" : "length",
    meta: "{}",
  }));
}

/** Returns the prompts of demonstrations. */
export function promptsOf(demonstrations: readonly HeldOut[]): PromptRow[] {
  return demonstrations.map(({ id, promptIds }) => ({ id, promptIds, meta: "{}" }));
}

/** Scored rows with their log-probabilities; `members` are the models that were trained on parts of the demonstrations. */
export interface Scorable {
  readonly rows: readonly RolloutRow[];
  readonly logprobs: RewardLogprobs;
}

/**
 * Compares held-out demonstrations with responses of the SFT model to the same prompts, by the reward of the members that have not
 * seen the demonstration. The expected difference of the two rewards is the derivative of the log-likelihood of the demonstration
 * under π ∝ π_sft·exp(α·reward) at α = 0.
 * @param samples n responses per demonstration, in the order of the demonstrations
 */
export function preferenceOf(
  demonstrations: readonly HeldOut[],
  { demos, samples, rule }: {
    readonly demos: Scorable;
    readonly samples: Scorable;
    readonly rule: RewardRule;
  },
): Preference {
  const n = samples.rows.length / demonstrations.length;
  const wins = demonstrations.map(({ unseenBy }, i) => {
    const [demo] = rewardsOf(demos, [i], unseenBy, rule);
    const others = rewardsOf(samples, Array.from({ length: n }, (_, j) => i * n + j), unseenBy, rule);
    return others.reduce((sum, other) => sum + (demo! > other ? 1 : demo === other ? 0.5 : 0), 0);
  });
  const shares = wins.map((w) => w / n), changes = wins.map((w) => bestOfFour(w, n));
  return {
    demonstrations: demonstrations.length,
    samples_per_prompt: n,
    preference: meanOf(shares),
    preference_stderr: errorOf(shares),
    best_of_4_loglik: meanOf(changes),
    best_of_4_loglik_stderr: errorOf(changes),
    memorised_share: memorisedShare(demonstrations, demos.logprobs),
  };
}

function rewardsOf(
  { rows, logprobs }: Scorable,
  indices: readonly number[],
  members: readonly number[],
  rule: RewardRule,
): number[] {
  const pick = <T>(list: readonly T[]) => indices.map((i) => list[i]!);
  const some: RewardLogprobs = {
    sft: pick(logprobs.sft),
    members: members.map((k) => pick(logprobs.members[k]!)),
    base: pick(logprobs.base),
    baseline: pick(logprobs.baseline),
    baseNll: pick(logprobs.baseNll),
  };
  const combine = rule.combine === "soup" || members.length === 1 ? "mean" as const : rule.combine;
  return scoredRows(pick(rows), some, { ...rule, combine }).map(({ reward }) => reward);
}

/**
 * Returns the change of a response's log-likelihood by best-of-4 sampling, nats. The best of n has the density n·π(y)·F(r(y))^(n−1),
 * with F the distribution function of the reward of π's responses, here estimated as (wins + ½) / (samples + 1).
 * @param wins responses with a lower reward; equal ones count half
 */
export function bestOfFour(wins: number, samples: number): number {
  return Math.log(BEST_OF) + (BEST_OF - 1) * Math.log((wins + 0.5) / (samples + 1));
}

function memorisedShare(
  demonstrations: readonly HeldOut[],
  { members, base }: RewardLogprobs,
): number | null {
  let seen = 0, unseen = 0, ofBase = 0;
  demonstrations.forEach(({ unseenBy, responseIds }, i) => {
    const by = members.keys().toArray(), seenBy = by.filter((k) => !unseenBy.includes(k));
    if (seenBy.length === 0) return;
    responseIds.forEach((_, t) => {
      seen -= meanOf(seenBy.map((k) => members[k]![i]![t]!));
      unseen -= meanOf(unseenBy.map((k) => members[k]![i]![t]!));
      ofBase -= base[i]![t]!;
    });
  });
  return ofBase > seen ? (unseen - seen) / (ofBase - seen) : null;
}

/**
 * Returns the share of pairs of responses to one prompt that are equal: the probability that the SFT model repeats itself. 0 in
 * open-ended tasks; where it is high, the likelihood of a response says whether it is the one the SFT model is certain about.
 * Null without two responses to one prompt.
 */
export function repeatShare(rows: readonly Pick<RolloutRow, "promptId" | "responseIds">[]): number | null {
  let equal = 0, pairs = 0;
  for (const some of Map.groupBy(rows, ({ promptId }) => promptId).values()) {
    const counts = new Map<string, number>();
    for (const { responseIds } of some) {
      const text = responseIds.join(" ");
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    for (const count of counts.values()) equal += count * (count - 1) / 2;
    pairs += some.length * (some.length - 1) / 2;
  }
  return pairs === 0 ? null : equal / pairs;
}

function meanOf(values: readonly number[]): number {
  return moments([values]).mean;
}

function errorOf(values: readonly number[]): number {
  return values.length < 2 ? 0 : sampleDeviation(values) / Math.sqrt(values.length);
}
