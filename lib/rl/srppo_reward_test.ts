import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError } from "@/lib/tensor/errors.ts";
import { combineMembers, guardedRewards, NO_GUARDS } from "./bagged_reward.ts";
import { klEstimates } from "./kl.ts";
import { ppoRewards, UNIT_SCALE } from "./ppo_rewards.ts";
import { eosFlags } from "./response_end.ts";
import { responseReward, tokenLogRatios } from "./srppo_reward.ts";
import { whiten } from "./whiten.ts";
import { gae } from "./gae.ts";

const logprob = fc.double({ min: -30, max: 0, noNaN: true });
const tokens = fc.array(fc.record({ sft: logprob, base: logprob }), { minLength: 1, maxLength: 10 });
const RUNS = { seed: 1 };

function reward(rows: readonly { sft: number; base: number }[]): number {
  return responseReward(tokenLogRatios(rows.map((r) => r.sft), rows.map((r) => r.base)));
}

Deno.test("the reward of two equal models is exactly 0 (statement 62)", () => {
  fc.assert(
    fc.property(tokens, (rows) => assertEquals(reward(rows.map(({ sft }) => ({ sft, base: sft }))), 0)),
    RUNS,
  );
});

Deno.test("the reward is additive over a split of the response (statement 64)", () => {
  fc.assert(
    fc.property(tokens, fc.nat(10), (rows, cut) => {
      assertAlmostEquals(reward(rows.slice(0, cut)) + reward(rows.slice(cut)), reward(rows), 1e-9);
    }),
    RUNS,
  );
});

Deno.test("the reward is above 0 on SFT samples and below 0 on base samples, by their KL divergences (statement 63)", () => {
  const sft = [0.6, 0.3, 0.1].map(Math.log), base = [0.2, 0.3, 0.5].map(Math.log);
  const ratios = tokenLogRatios(sft, base);
  const mean = (logs: number[]) => logs.reduce((sum, lp, i) => sum + Math.exp(lp) * ratios[i]!, 0);
  const kl = (p: number[], q: number[]) => p.reduce((sum, lp, i) => sum + Math.exp(lp) * (lp - q[i]!), 0);
  assertAlmostEquals(mean(sft), kl(sft, base), 1e-12);
  assertAlmostEquals(mean(base), -kl(base, sft), 1e-12);
});

Deno.test("the reward sums response positions only: a row of a longer context is cut before it (statement 65)", () => {
  // log-probabilities of prompt and response as a model gives them; the prompt's differ wildly, the response's do not
  const score = (prompt: number[]) => {
    const sft = [...prompt, -1, -2], base = [...prompt.map((x) => 2 * x), -3, -2.5];
    return responseReward(tokenLogRatios(sft.slice(prompt.length), base.slice(prompt.length)));
  };
  assertEquals(score([-1, -1, -1]), score([-20]));
  assertEquals(score([]), 2.5);
});

Deno.test("EOS counts once, and a cut response has no EOS term (statement 66)", () => {
  const eos = 2, ids = [7, 8, eos];
  const targetLogprobs = [-1, -1, -0.5], baseLogprobs = [-2, -3, -9.5];
  const guards = { floor: null, eosBound: 5 };
  const ended = guardedRewards({ targetLogprobs, baseLogprobs, isEos: eosFlags(ids, [eos]) }, guards);
  assertEquals([...ended], [1, 2, 5]);
  // the same tokens cut before EOS: the term is gone, nothing else changes
  const cut = guardedRewards({
    targetLogprobs: targetLogprobs.slice(0, 2),
    baseLogprobs: baseLogprobs.slice(0, 2),
    isEos: eosFlags(ids.slice(0, 2), [eos]),
  }, guards);
  assertEquals([...cut], [1, 2]);
});

Deno.test("eosFlags() marks the one end of a response and refuses tokens after it (statement 59)", () => {
  assertEquals([...eosFlags([3, 4, 9], [2, 9])], [0, 0, 1]);
  assertEquals([...eosFlags([3, 4], [2, 9])], [0, 0]);
  assertEquals([...eosFlags([], [2])], []);
  for (const ids of [[3, 2, 4], [3, 2, 2]]) {
    assertThrows(
      () => eosFlags(ids, [2], 5),
      DataError,
      "Cannot score response 5 as nothing may follow its end: token 1 of 3 is 2",
    );
  }
});

Deno.test("with the base as reference, beta 1 and the SFT policy, every response earns 0 in all, and whitening survives it (statement 68)", () => {
  fc.assert(
    fc.property(fc.array(tokens, { minLength: 1, maxLength: 4 }), (responses) => {
      const advantages = responses.map((rows) => {
        const sft = rows.map((r) => r.sft), base = rows.map((r) => r.base);
        const rewards = ppoRewards(klEstimates("k1", sft, base), { beta: 1, reward: reward(rows) });
        assertAlmostEquals(rewards.reduce((a, b) => a + b), 0, 1e-9);
        // the dense form pays 0 at every token: r_t − (log π − log π_base) = 0 exactly
        const dense = tokenLogRatios(sft, base).map((r, t) => r - klEstimates("k1", sft, base)[t]!);
        return gae({ rewards: dense, values: new Float64Array(rows.length), gamma: 1, lambda: 0.95 })
          .advantages;
      });
      for (const row of whiten(advantages)) for (const a of row) assertEquals(a, 0);
    }),
    RUNS,
  );
});

Deno.test("responseReward() divides by the length or its root where told to", () => {
  assertEquals([
    responseReward([1, 2, 3, 4]),
    responseReward([1, 2, 3, 4], "mean"),
    responseReward([1, 2, 3, 4], "sqrt"),
  ], [
    10,
    2.5,
    5,
  ]);
  assertEquals(responseReward([], "mean"), 0);
});

Deno.test("one member without guards is the paper's reward", () => {
  fc.assert(
    fc.property(tokens, fc.boolean(), (rows, ended) => {
      const sft = rows.map((r) => r.sft), base = rows.map((r) => r.base);
      const isEos = rows.map((_, t) => Number(ended && t === rows.length - 1));
      for (const combination of ["mean", "min"] as const) {
        const targetLogprobs = combineMembers([sft], combination);
        const rewards = guardedRewards({ targetLogprobs, baseLogprobs: base, isEos }, NO_GUARDS);
        assertEquals(rewards, tokenLogRatios(sft, base));
      }
    }),
    RUNS,
  );
  assertEquals(UNIT_SCALE, { centre: 0, scale: 1 });
});
