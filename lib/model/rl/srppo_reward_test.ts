import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { combineMembers } from "./bagged_reward.ts";
import { klEstimates } from "./kl.ts";
import { gae } from "./gae.ts";
import { ppoRewards } from "./ppo_rewards.ts";
import { responseReward } from "./srppo_reward.ts";
import { type TokenGuards, tokenRewards } from "./token_rewards.ts";
import { NO_GUARDS } from "@/tests/support/no_guards.ts";
import { whiten } from "./whiten.ts";

const logprob = fc.double({ min: -30, max: 0, noNaN: true });
const tokens = fc.array(fc.record({ sft: logprob, base: logprob }), { minLength: 1, maxLength: 10 });
const RUNS = { seed: 1 };

/** Returns the rewards of tokens, the last of which is EOS where `ended`. */
function rewardsOf(target: readonly number[], base: readonly number[], ended = false, guards?: TokenGuards) {
  const isEos = target.map((_, t) => Number(ended && t === target.length - 1));
  return tokenRewards({ target, base, baseline: base, isEos }, guards ?? NO_GUARDS);
}

function reward(rows: readonly { sft: number; base: number }[]): number {
  return responseReward(rewardsOf(rows.map((r) => r.sft), rows.map((r) => r.base)));
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
  const ratios = rewardsOf(sft, base);
  const mean = (logs: number[]) => logs.reduce((sum, lp, i) => sum + Math.exp(lp) * ratios[i]!, 0);
  const kl = (p: number[], q: number[]) => p.reduce((sum, lp, i) => sum + Math.exp(lp) * (lp - q[i]!), 0);
  assertAlmostEquals(mean(sft), kl(sft, base), 1e-12);
  assertAlmostEquals(mean(base), -kl(base, sft), 1e-12);
});

Deno.test("the reward sums response positions only: the prompt's log-probabilities do not enter (statement 65)", () => {
  // log-probabilities of prompt and response as a model gives them; the prompt's differ wildly, the response's do not
  const score = (prompt: number[]) => {
    const sft = [...prompt, -1, -2], base = [...prompt.map((x) => 2 * x), -3, -2.5];
    return responseReward(rewardsOf(sft.slice(prompt.length), base.slice(prompt.length)));
  };
  assertEquals(score([-1, -1, -1]), score([-20]));
  assertEquals(score([]), 2.5);
});

Deno.test("EOS counts once, and a truncated response has no EOS term (statement 66)", () => {
  const target = [-1, -1, -0.5], base = [-2, -3, -9.5], guards = { ...NO_GUARDS, eosBound: 5 };
  assertEquals([...rewardsOf(target, base, true, guards)], [1, 2, 5]);
  // the same tokens truncated before EOS: its term is missing, nothing else changes
  assertEquals([...rewardsOf(target.slice(0, 2), base.slice(0, 2), false, guards)], [1, 2]);
});

Deno.test("with the base as reference, beta 1 and the SFT policy, every response has total reward 0, and whitening gives no NaN (statement 68)", () => {
  fc.assert(
    fc.property(fc.array(tokens, { minLength: 1, maxLength: 4 }), (responses) => {
      const advantages = responses.map((rows) => {
        const sft = rows.map((r) => r.sft), base = rows.map((r) => r.base);
        const rewards = ppoRewards(klEstimates("k1", sft, base), { beta: 1, reward: reward(rows) });
        assertAlmostEquals(rewards.reduce((a, b) => a + b), 0, 1e-9);
        // the dense form has reward 0 at every token: r_t − (log π − log π_base) = 0 exactly
        const dense = rewardsOf(sft, base).map((r, t) => r - klEstimates("k1", sft, base)[t]!);
        return gae({ rewards: dense, values: new Float64Array(rows.length), gamma: 1, lambda: 0.95 })
          .advantages;
      });
      for (const row of whiten(advantages)) for (const a of row) assertEquals(a, 0);
    }),
    RUNS,
  );
});

Deno.test("responseReward() divides by the length or its square root, by the norm", () => {
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
      for (const combination of ["mean", "min"] as const) {
        const rewards = rewardsOf([...combineMembers([sft], combination)], base, ended);
        assertEquals(rewards, Float64Array.from(sft, (x, t) => x - base[t]!));
      }
    }),
    RUNS,
  );
});
