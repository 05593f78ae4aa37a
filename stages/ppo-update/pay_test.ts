import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { UNIT_SCALE } from "@/lib/rl/ppo_rewards.ts";
import { scoredRow, withDefaults } from "@/tests/support/ppo_rows.ts";
import type { Params } from "./params.ts";
import { earnedBy, payOf, rewardScaleOf, type ScaleState } from "./pay.ts";

const row = (rewards: readonly number[], given: Partial<ScoredRow> = {}) =>
  scoredRow({ tokenRewards: Float32Array.from(rewards), ...given });
const ENDED = { finishReason: "eos" } as const;

const scaleOf = (rows: readonly ScoredRow[], kept: ScaleState | undefined, given: Partial<Params>) => {
  const params = withDefaults(given);
  return rewardScaleOf(rows, earnedBy(rows), kept, params);
};
const paid = (rows: readonly ScoredRow[], given: Partial<Params>, scale = UNIT_SCALE) => {
  const params = withDefaults(given);
  return payOf(rows, earnedBy(rows), { scale, beta: params.beta }, params);
};

Deno.test("rewardScaleOf() keeps what was fitted, fits mean and n − 1 deviation otherwise, or does neither", () => {
  const rows = [1, 3].map((reward) => row([reward])), kept = { scale: { centre: 7, scale: 9 } };
  assertEquals(scaleOf(rows, kept, {}), kept);
  assertEquals(scaleOf(rows, undefined, {}), { scale: { centre: 2, scale: Math.SQRT2 } });
  assertEquals(scaleOf(rows, kept, { normalise_reward: false }), { scale: UNIT_SCALE });
  assertEquals(scaleOf(rows, undefined, { centre_reward: false }), {
    scale: { centre: 0, scale: Math.SQRT2 },
  });
});

Deno.test("reward_scaling: running takes all rounds so far, round by round (statement 39)", () => {
  const batches = fc.array(fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 2, maxLength: 5 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(fc.property(batches, (rounds) => {
    let state: ScaleState | undefined;
    for (const rewards of rounds) {
      state = scaleOf(rewards.map((r) => row([r])), state, { reward_scaling: "running" });
    }
    const { centre, scale } = scaleOf(rounds.flat().map((r) => row([r])), undefined, {}).scale;
    assertAlmostEquals(state!.scale.centre, centre, 1e-9);
    assertAlmostEquals(state!.scale.scale, scale, 1e-9);
    assertEquals(state!.running!.count, rounds.flat().length);
  }));
});

Deno.test("a length-normalised reward is spread over its tokens; a sum of 0 is as it is", () => {
  const of = (rewards: readonly number[], reward: number) =>
    earnedBy([row(rewards, { reward })]).map(({ tokens }) => [...tokens])[0];
  assertEquals(of([2, 4], 3), [1, 2]);
  assertEquals(of([1, -1], 0), [1, -1]);
});

Deno.test("a cut response is paid for what it has, a fixed penalty, or nothing that is learned from (statements 25 and 33)", () => {
  const rows = [row([8, 1], ENDED), row([2, 2])], scale = { centre: 1, scale: 2 };
  assertEquals(paid(rows, {}, scale).scores, [4, 1.5]);
  assertEquals(paid(rows, { missing_eos: "penalty" }, scale).scores, [4, -1]);
  assertEquals(paid(rows, { missing_eos: "penalty", missing_eos_value: -3 }, scale).scores, [4, -3]);
  const dense = paid(rows, { missing_eos: "penalty", placement: "dense" }, scale).rewards;
  assertEquals(
    dense.map((r) => [...r]),
    [[4, 0], [1, -2]],
    "the rest is paid at the end, so that the total is the score",
  );
});

Deno.test("responses that are not paid do not fix centre and scale", () => {
  const rows = [row([1], ENDED), row([3], ENDED), row([1000])];
  for (const missing_eos of ["penalty", "mask"] as const) {
    assertEquals(scaleOf(rows, undefined, { missing_eos }).scale, { centre: 2, scale: Math.SQRT2 });
  }
  assertEquals(
    scaleOf([row([5])], undefined, { missing_eos: "mask" }).scale,
    { centre: 5, scale: 1 },
    "all were cut",
  );
});

Deno.test("the penalty is in the reward or not at all there; kl_clip bounds a token's log-ratio", () => {
  const rows = [row([0, 0], { logprobs: Float32Array.of(-1, -2), sftLogprobs: Float32Array.of(-4, -1) })];
  const of = (
    given: Partial<Params>,
  ) => [...paid(rows, { beta: 0.5, ...given }, { centre: 0, scale: 2 }).rewards[0]!];
  assertEquals(of({}), [-0.75, 0.25]);
  assertEquals(of({ kl_placement: "loss" }).map(Math.abs), [0, 0]);
  assertEquals(of({ kl_clip: 2 }), [-0.5, 0.25]);
});

Deno.test("whiten_rewards gives variance 1 over all tokens and keeps the mean (statement 28)", () => {
  const rows = [row([0, 4]), row([2])];
  const found = paid(rows, { placement: "dense", whiten_rewards: true }).rewards.flatMap((r) => [...r]);
  const mean = found.reduce((a, b) => a + b) / 3;
  assertAlmostEquals(mean, 2, 1e-9);
  assertAlmostEquals(found.reduce((sum, r) => sum + (r - mean) ** 2, 0) / 3, 1, 1e-6);
});

Deno.test("a cut response that goes on is paid what its tokens earn as they fall, and nothing of what is paid at an end", () => {
  const rows = [row([8, 1], ENDED), row([2, 2]), row([1], ENDED)], scale = { centre: 1, scale: 2 };
  const settings = { truncated_value: "bootstrap", reward_clip: 3 } as const;
  const of = (given: Partial<Params>) => {
    const { scores, rewards } = paid(rows, { ...settings, ...given }, scale);
    return { scores, rewards: rewards.map((r) => [...r].map((x) => x + 0)) };
  };
  // (9 − 1)/2 = 4 is clipped to 3. The scores say what an end would have brought.
  assertEquals(of({}), { scores: [3, 1.5, 0], rewards: [[0, 3], [0, 0], [0]] });
  assertEquals(of({ placement: "dense" }), { scores: [3, 1.5, 0], rewards: [[4, -1], [1, 1], [0]] });
  // Their rewards are those of answers that are not whole, so they fix neither centre nor scale.
  assertEquals(scaleOf([...rows, row([1000])], undefined, settings).scale, {
    centre: 5,
    scale: Math.sqrt(32),
  });
});
