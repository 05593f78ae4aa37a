/** Selection of responses as demonstrations. @module */
import { assertEquals, assertRejects } from "@std/assert";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { loadChecker } from "@/lib/model/evals/load_checker.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { selectBest, selectByReward, selectByScore, selectEnded } from "./select_rollouts.ts";

const tokenizer = loadTokenizer("fixtures/stories260k");
const decode = (ids: Int32Array): string => tokenizer.decode(ids, { skipSpecial: true });

async function rollout(
  id: string,
  response: string,
  finishReason: RolloutRow["finishReason"] = "eos",
): Promise<RolloutRow> {
  const responseIds = await tokenizer.encode(`${response}</s>`, { special: false });
  const logprobs = new Float32Array(responseIds.length);
  const meta = '{"words":["Lucy","book"]}';
  const promptIds = await tokenizer.encode("Once");
  return {
    id,
    promptId: "p",
    sample: 0,
    promptIds,
    responseIds,
    logprobs,
    logprobsT1: null,
    finishReason,
    meta,
  };
}

async function scored(
  id: string,
  reward: number,
  finishReason: RolloutRow["finishReason"] = "eos",
): Promise<ScoredRow> {
  const row = await rollout(id, "x", finishReason);
  const zeros = row.logprobs;
  const lists = { sftLogprobs: zeros, targetLogprobs: zeros, baseLogprobs: zeros, tokenRewards: zeros };
  return { ...row, ...lists, rawReward: reward, reward, baseNll: 1 };
}

Deno.test("a truncated response is never selected", async () => {
  const rows = [await rollout("a", "x", "length"), await rollout("b", "x"), await rollout("c", "x", "stop")];
  const { rows: chosen, ...counts } = selectEnded(rows);
  assertEquals([chosen.map(({ id }) => id), counts], [["b", "c"], { offered: 3, ended: 2 }]);
});

Deno.test("a response that is only an end token is never selected, whatever its reward", async () => {
  const rows = [await rollout("silent", ""), await rollout("a", "x"), await rollout("stopped", "", "stop")];
  assertEquals(rows[0]!.responseIds.length, 1);
  assertEquals(selectEnded(rows).rows.map(({ id }) => id), ["a", "stopped"]);
  const rewarded = [
    { ...await scored("silent", 9), responseIds: rows[0]!.responseIds },
    await scored("a", 1),
  ];
  assertEquals(selectByReward(rewarded, 1).rows.map(({ id }) => id), ["a"]);
  assertEquals(selectBest(rewarded).rows.map(({ id }) => id), ["a"]);
});

Deno.test("selectByScore() selects the responses with at least the threshold", async () => {
  const rows = [
    await rollout("both", "Lucy and a book."),
    await rollout("one", "Lucy."),
    await rollout("none", "Tim."),
  ];
  const check = await loadChecker("words");
  const chosen = async (threshold: number): Promise<string[]> =>
    (await selectByScore(rows, { check, threshold, decode })).rows.map(({ id }) => id);
  assertEquals(await chosen(1), ["both"]);
  assertEquals(await chosen(0.5), ["both", "one"]);
  assertEquals(await chosen(2), []);
});

Deno.test("selectByScore() names the rollout that cannot be scored", async () => {
  const options = { check: await loadChecker("words", { field: "names" }), threshold: 1, decode };
  const row = await rollout("r7", "x");
  const error = await assertRejects(() => selectByScore([row], options), DataError);
  assertEquals(
    error.message,
    'Field "names" of a prompt must be a string or a list of strings, got nothing (rollout r7)',
  );
  const broken = { ...await rollout("r8", "x"), meta: "[1" };
  const meta = await assertRejects(() => selectByScore([broken], options), DataError);
  assertEquals(meta.message, 'meta must be a JSON object, got "[1" (rollout r8)');
});

Deno.test("selectByReward() selects the best fraction of the ended responses, in the order of the file", async () => {
  const rows = [
    await scored("a", 1),
    await scored("b", 5),
    await scored("c", 9, "length"),
    await scored("d", 3),
    await scored("e", 4),
  ];
  const chosen = (fraction: number): string[] => selectByReward(rows, fraction).rows.map(({ id }) => id);
  assertEquals(chosen(0.5), ["b", "e"]);
  assertEquals(chosen(0.75), ["b", "d", "e"]);
  assertEquals(chosen(0.01), ["b"]);
  assertEquals(chosen(1), ["a", "b", "d", "e"]);
});

Deno.test("selectByReward() does not depend on the order of rows with equal reward", async () => {
  const rows = [await scored("c", 1), await scored("a", 1), await scored("b", 1), await scored("d", 1)];
  assertEquals(selectByReward(rows, 0.5).rows.map(({ id }) => id), ["a", "b"]);
  assertEquals(selectByReward(rows.toReversed(), 0.5).rows.map(({ id }) => id), ["b", "a"]);
});
