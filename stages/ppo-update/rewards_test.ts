import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { UNIT_SCALE } from "@/lib/model/rl/reward_scale.ts";
import { scoredRow, withDefaults } from "@/tests/support/ppo_rows.ts";
import type { Params } from "./params.ts";
import { fitScale, type FittedScale, type ScaleState, withRewards } from "./rewards.ts";
import { rolloutOf } from "./trajectory.ts";

const row = (rewards: readonly number[], given: Partial<ScoredRow> = {}) =>
  rolloutOf(scoredRow({ tokenRewards: Float32Array.from(rewards), ...given }));
const ENDED = { finishReason: "eos" } as const;
const NONE: ScaleState = { rewardCentre: null, rewardScale: null };

const scaleOf = (rows: readonly ReturnType<typeof row>[], state: ScaleState, given: Partial<Params>) =>
  fitScale(rows, state, withDefaults(given));
const given = (rows: readonly ReturnType<typeof row>[], params: Partial<Params>, scale = UNIT_SCALE) => {
  const checked = withDefaults(params), rewarded = withRewards(rows, { scale, beta: checked.beta }, checked);
  return {
    scores: rewarded.map(({ scaledReward }) => scaledReward),
    rewards: rewarded.map(({ rewards }) => [...rewards].map((x) => x + 0)),
  };
};

Deno.test("fitScale() keeps the fitted scale, fits mean and n − 1 deviation otherwise, or does neither", () => {
  const rows = [1, 3].map((reward) => row([reward])), state = { rewardCentre: 7, rewardScale: 9 };
  assertEquals(scaleOf(rows, state, {}), { scale: { centre: 7, scale: 9 }, kept: state });
  assertEquals(scaleOf(rows, NONE, {}), {
    scale: { centre: 2, scale: Math.SQRT2 },
    kept: { rewardCentre: 2, rewardScale: Math.SQRT2 },
  });
  assertEquals(scaleOf(rows, NONE, { centre_reward: false }).scale, { centre: 0, scale: Math.SQRT2 });
});

Deno.test("an iteration with normalise_reward off stores no scale, so that turning it on fits one", () => {
  const rows = [1, 3].map((reward) => row([reward]));
  const off = scaleOf(rows, { rewardCentre: 7, rewardScale: 9 }, { normalise_reward: false });
  assertEquals(off, { scale: UNIT_SCALE, kept: NONE });
  assertEquals(scaleOf(rows, off.kept, {}).scale, { centre: 2, scale: Math.SQRT2 });
});

Deno.test("reward_scaling=running takes all iterations so far (statement 39)", () => {
  const batches = fc.array(fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 2, maxLength: 5 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(fc.property(batches, (iterations) => {
    let last: FittedScale | undefined;
    for (const rewards of iterations) {
      last = scaleOf(rewards.map((r) => row([r])), last?.kept ?? NONE, { reward_scaling: "running" });
    }
    const { centre, scale } = scaleOf(iterations.flat().map((r) => row([r])), NONE, {}).scale;
    assertAlmostEquals(last!.scale.centre, centre, 1e-9);
    assertAlmostEquals(last!.scale.scale, scale, 1e-9);
    assertEquals(last!.kept.runningReward!.count, iterations.flat().length);
  }));
});

Deno.test("with length normalisation a token's reward is what it adds to the normalised reward", () => {
  const of = (rewards: readonly number[], given: Partial<ScoredRow>) => {
    const [first] = withRewards([row(rewards, given)], { scale: UNIT_SCALE, beta: 0 }, withDefaults({}));
    return [...first!.rewardPerToken];
  };
  assertEquals(of([2, 4], { reward: 3, normalisedRewards: Float32Array.of(2, 1) }), [2, 1]);
  assertEquals(of([1, -1], {}), [1, -1]);
});

Deno.test("a truncated response gets its score, or a fixed penalty (statements 25 and 33)", () => {
  const rows = [row([8, 1], ENDED), row([2, 2])], scale = { centre: 1, scale: 2 };
  assertEquals(given(rows, {}, scale).scores, [4, 1.5]);
  assertEquals(given(rows, { missing_eos: "penalty" }, scale).scores, [4, -1]);
  assertEquals(given(rows, { missing_eos: "penalty", missing_eos_value: -3 }, scale).scores, [4, -3]);
  assertEquals(
    given(rows, { missing_eos: "penalty", reward_placement: "dense" }, scale).rewards,
    [[4, 0], [1, -2]],
    "the remainder is given at the last token, so that the sum is the score",
  );
});

Deno.test("responses that are not given their reward do not fix centre and scale", () => {
  const rows = [row([1], ENDED), row([3], ENDED), row([1000])];
  for (const missing_eos of ["penalty", "mask"] as const) {
    assertEquals(scaleOf(rows, NONE, { missing_eos }).scale, { centre: 2, scale: Math.SQRT2 });
  }
  assertEquals(
    scaleOf([row([5])], NONE, { missing_eos: "mask" }).scale,
    { centre: 5, scale: 1 },
    "all are truncated",
  );
});

Deno.test("the KL penalty is in the reward unless kl_placement=loss; kl_clip bounds a token's log-ratio", () => {
  const rows = [row([0, 0], { logprobs: Float32Array.of(-1, -2), sftLogprobs: Float32Array.of(-4, -1) })];
  const of = (params: Partial<Params>) =>
    given(rows, { beta: 0.5, ...params }, { centre: 0, scale: 2 }).rewards[0]!;
  assertEquals(of({}), [-0.75, 0.25]);
  assertEquals(of({ kl_placement: "loss" }).map(Math.abs), [0, 0]);
  assertEquals(of({ kl_clip: 2 }), [-0.5, 0.25]);
});

Deno.test("whiten_rewards gives variance 1 over all tokens and keeps the mean (statement 28)", () => {
  const rows = [row([0, 4]), row([2])];
  const found = given(rows, { reward_placement: "dense", whiten_rewards: true }).rewards.flat();
  const mean = found.reduce((a, b) => a + b) / 3;
  assertAlmostEquals(mean, 2, 1e-9);
  assertAlmostEquals(found.reduce((sum, r) => sum + (r - mean) ** 2, 0) / 3, 1, 1e-6);
});

Deno.test("a truncated response that continues gets the rewards of its tokens under dense placement, and never the reward of an end", () => {
  const rows = [row([8, 1], ENDED), row([2, 2]), row([1], ENDED)], scale = { centre: 1, scale: 2 };
  const settings = { truncated_value: "bootstrap", reward_clip: 3 } as const;
  const of = (params: Partial<Params>) => given(rows, { ...settings, ...params }, scale);
  // (9 − 1)/2 = 4 is clipped to 3. The scores are those of an end.
  assertEquals(of({}), { scores: [3, 1.5, 0], rewards: [[0, 3], [0, 0], [0]] });
  assertEquals(of({ reward_placement: "dense" }), { scores: [3, 1.5, 0], rewards: [[4, -1], [1, 1], [0]] });
  // Rewards of unfinished responses fix neither centre nor scale.
  assertEquals(scaleOf([...rows, row([1000])], NONE, settings).scale, {
    centre: 5,
    scale: Math.sqrt(32),
  });
});
