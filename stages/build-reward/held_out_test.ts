/** Held-out demonstrations: which member has not seen which, and their statistics by hand. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { TokenRow } from "@/lib/data/contracts/tokens.ts";
import type { RewardRule } from "@/lib/model/reward/scored_rows.ts";
import {
  bestOfFour,
  heldOut,
  preferenceOf,
  RANDOM_BEST_OF_4,
  repeatShare,
  type Scorable,
} from "./held_out.ts";

const row = (id: string, mask: readonly number[]): TokenRow => ({
  id,
  inputIds: Int32Array.from(mask, (_, t) => t + 1),
  lossMask: Uint8Array.from(mask),
  source: "test",
});

const RULE: RewardRule = { combine: "mean", floor: null, eosBound: null, lengthNorm: "none", eosIds: [9] };

/** Rows of one token each, with the log-probability of every member. */
function scorable(members: readonly (readonly number[])[], base: readonly number[]): Scorable {
  const list = (values: readonly number[]) => values.map((x) => Float32Array.of(x));
  const rows = base.map((_, i): RolloutRow => ({
    id: `${i}`,
    promptId: "p",
    sample: i,
    promptIds: Int32Array.of(1),
    responseIds: Int32Array.of(5),
    logprobs: Float32Array.of(-1),
    logprobsT1: null,
    finishReason: "length",
    meta: "{}",
  }));
  const logprobs = {
    sft: list(base),
    members: members.map(list),
    base: list(base),
    baseline: list(base),
    baseNll: base.map(() => null),
  };
  return { rows, logprobs };
}

Deno.test("heldOut() lists the members that have not seen a demonstration; the response is the last supervised part", () => {
  const files = [[row("a", [0, 0, 1, 1]), row("b", [0, 1, 0, 1])], [row("b", [0, 1, 0, 1])], []];
  const found = heldOut(files, 3);
  assertEquals(found.map(({ id, unseenBy }) => [id, unseenBy]), [["a", [0]], ["b", [0, 1]]]);
  assertEquals(found.map(({ promptIds, responseIds }) => [[...promptIds], [...responseIds]]), [
    [[1, 2], [3, 4]],
    [[1, 2, 3], [4]],
  ]);
  assertEquals(heldOut([files[1]!], 2).map(({ unseenBy }) => unseenBy), [[0, 1]], "one file for all members");
  assertEquals(heldOut([[row("no response", [0, 0]), row("no prompt", [1, 1])]], 1), []);
});

Deno.test("preferenceOf() compares by the members that have not seen the demonstration alone", () => {
  const demonstrations = heldOut([[row("a", [0, 1])], [row("b", [0, 1])]], 2);
  // Member 0 has not seen a: reward −1 + 3 = 2 against 1, 2, 3, 0. Member 1 has not seen b: −2 + 3 = 1 against 2, 2, 2, 2.
  const demos = scorable([[-1, 0], [0, -2]], [-3, -3]);
  const samples = scorable([[-2, -1, 0, -3, 9, 9, 9, 9], [9, 9, 9, 9, -1, -1, -1, -1]], Array(8).fill(-3));
  const found = preferenceOf(demonstrations, { demos, samples, rule: RULE });
  assertEquals([found.demonstrations, found.samples_per_prompt], [2, 4]);
  assertEquals(found.preference, (2.5 / 4 + 0) / 2);
  assertAlmostEquals(found.preference_stderr, 2.5 / 4 / 2, 1e-12);
  assertAlmostEquals(found.best_of_4_loglik, (bestOfFour(2.5, 4) + bestOfFour(0, 4)) / 2, 1e-12);
  // unseen 1 + 2, seen 0 + 0, base 3 + 3
  assertEquals(found.memorised_share, 0.5);
});

Deno.test("bestOfFour() is log 4 + 3 log F; on average over ranks it is that of a random reward", () => {
  assertAlmostEquals(bestOfFour(3.5, 7), Math.log(4) + 3 * Math.log(0.5), 1e-12);
  const samples = 100_000,
    ranks = Array.from({ length: samples + 1 }, (_, wins) => bestOfFour(wins, samples));
  assertAlmostEquals(ranks.reduce((a, b) => a + b, 0) / ranks.length, RANDOM_BEST_OF_4, 1e-3);
});

Deno.test("repeatShare() is the share of equal pairs within prompts", () => {
  const response = (promptId: string, ...ids: number[]) => ({ promptId, responseIds: Int32Array.from(ids) });
  const rows = [
    response("a", 1, 2),
    response("a", 1, 2),
    response("a", 12),
    response("b", 1, 2),
    response("b", 3),
  ];
  assertEquals(repeatShare(rows), 1 / 4);
  assertEquals(repeatShare([response("a", 1), response("b", 1)]), null);
});
