import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { gae } from "@/lib/rl/gae.ts";
import { UNIT_SCALE } from "@/lib/rl/ppo_rewards.ts";
import { advantagesOf, rewardScaleOf, tokenKl } from "./advantages.ts";
import { type Params, params as schema } from "./params.ts";

const PLAIN = { beta: 0, whiten_advantages: false, residual_critic: false };
const withDefaults = (given: Partial<Params>): Params => schema.parse({ ...PLAIN, ...given });

/** A scored row of these figures; all else is what the pure functions do not read. */
function row(figures: Partial<ScoredRow> & { tokenRewards: Float32Array }): ScoredRow {
  const length = figures.tokenRewards.length, zeros = new Float32Array(length);
  const rawReward = figures.tokenRewards.reduce((a, b) => a + b, 0);
  return {
    id: "r",
    promptId: "p",
    sample: 0,
    promptIds: Int32Array.of(1),
    responseIds: new Int32Array(length),
    logprobs: zeros,
    logprobsT1: null,
    finishReason: "length",
    meta: "{}",
    sftLogprobs: zeros,
    targetLogprobs: zeros,
    baseLogprobs: zeros,
    rawReward,
    reward: rawReward,
    baseNll: 1,
    ...figures,
  };
}

function assertClose(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what = "",
): void {
  assertEquals(found.length, expected.length, what);
  for (let t = 0; t < found.length; t++) {
    assertAlmostEquals(found[t]!, expected[t]!, tolerance, `${what} ${t}`);
  }
}

/** Multiples of 1/64, so that sums of f32 are exact. */
const figure = fc.integer({ min: -192, max: 192 }).map((n) => n / 64);
const responses = fc.array(
  fc.array(fc.record({ reward: figure, head: figure, kl: figure }), { minLength: 1, maxLength: 9 }),
  { minLength: 1, maxLength: 5 },
);
const column = (
  tokens: readonly { reward: number; head: number; kl: number }[],
  name: "reward" | "head" | "kl",
) => Float32Array.from(tokens, (token) => token[name]);

Deno.test("a residual critic on pay at the end is a plain critic on pay per token, for every λ (statement 67)", () => {
  fc.assert(
    fc.property(
      responses,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom(0.5, 1, 4),
      (all, lambda, scale) => {
        const rows = all.map((tokens) =>
          row({ tokenRewards: column(tokens, "reward"), logprobs: column(tokens, "kl") })
        );
        const heads = all.map((tokens) => column(tokens, "head"));
        const found = advantagesOf(
          rows,
          heads,
          { centre: 0, scale },
          withDefaults({ lambda, beta: 0.5, residual_critic: true }),
        );
        rows.forEach((_, i) => {
          const kl = column(all[i]!, "kl");
          const dense = gae({
            rewards: rows[i]!.tokenRewards.map((r, t) => r / scale - 0.5 / scale * kl[t]!),
            values: heads[i]!,
            gamma: 1,
            lambda,
          });
          assertClose(found.advantages[i]!, dense.advantages, 1e-4, "advantage");
          assertClose(
            found.returns[i]!.map((r, t) => r - found.offsets[i]![t]!),
            dense.returns,
            1e-4,
            "return − prefix",
          );
        });
      },
    ),
  );
});

Deno.test("with and without a residual critic, equal values have equal advantages and returns", () => {
  fc.assert(fc.property(responses, (all) => {
    const rows = all.map((tokens) =>
      row({ tokenRewards: column(tokens, "reward"), logprobs: column(tokens, "kl") })
    );
    const heads = all.map((tokens) => column(tokens, "head"));
    const scale = { centre: 1, scale: 2 };
    const on = advantagesOf(rows, heads, scale, withDefaults({ beta: 0.25, residual_critic: true }));
    const off = advantagesOf(
      rows,
      on.values.map((v) => Float64Array.from(v)),
      scale,
      withDefaults({ beta: 0.25 }),
    );
    assertEquals(on.advantages, off.advantages);
    assertEquals(on.returns, off.returns);
    assertEquals(off.offsets.map((o) => o.every((x) => x === 0)), rows.map(() => true));
  }));
});

Deno.test("values, advantages, returns and whitening are those of the golden iteration", () => {
  const golden = JSON.parse(Deno.readTextFileSync("fixtures/goldens/srppo/golden.json"));
  const rows = golden.responses.map((responseIds: number[], i: number): ScoredRow =>
    row({
      tokenRewards: Float32Array.from(golden.token_log_ratio[i]),
      responseIds: Int32Array.from(responseIds),
      logprobs: Float32Array.from(golden.old_logprobs[i]),
      sftLogprobs: Float32Array.from(golden.sft_logprobs[i]),
      baseLogprobs: Float32Array.from(golden.base_logprobs[i]),
      rawReward: golden.reward[i],
      reward: golden.reward[i],
    })
  );
  const { beta, gamma, lam: lambda } = golden.config;
  const settings = { beta, gamma, lambda, normalise_reward: false };
  const plain = advantagesOf(rows, golden.values, UNIT_SCALE, withDefaults(settings));
  const white = advantagesOf(
    rows,
    golden.values,
    UNIT_SCALE,
    withDefaults({ ...settings, whiten_advantages: true }),
  );
  rows.forEach((_: ScoredRow, i: number) => {
    assertClose(tokenKl(rows[i]!, "sft"), golden.kl_k1[i], 1e-5, "kl");
    assertClose(plain.values[i]!, golden.values[i], 0, "value");
    assertClose(plain.advantages[i]!, golden.advantages[i], 1e-4, "advantage");
    assertClose(plain.returns[i]!, golden.returns[i], 1e-4, "return");
    assertClose(white.advantages[i]!, golden.whitened_advantages[i], 1e-4, "whitened");
    assertEquals(white.returns[i], plain.returns[i]); // the critic learns unwhitened returns
  });
  assertAlmostEquals(plain.explainedVariance!, golden.explained_variance_before, 1e-4);
});

Deno.test("the penalty is the KL to SFT, to the base, or half to each; of the policy itself where sampling differed", () => {
  const figures = row({
    tokenRewards: Float32Array.of(0, 0),
    logprobs: Float32Array.of(-1, -2),
    sftLogprobs: Float32Array.of(-2, -2),
    baseLogprobs: Float32Array.of(-4, -1),
  });
  const references = ["sft", "base", "both"] as const;
  assertEquals(references.map((reference) => [...tokenKl(figures, reference)]), [[1, 0], [3, -1], [2, -0.5]]);
  const tempered = { ...figures, logprobsT1: Float32Array.of(-1.5, -2.5) };
  assertEquals([...tokenKl(tempered, "sft")], [0.5, -0.5]);
  // A plain critic of zeros and λ = 1: the advantage is all that is paid from here on.
  const paid = references.map((
    kl_reference,
  ) => [
    ...advantagesOf([figures], [[0, 0]], UNIT_SCALE, withDefaults({ kl_reference, beta: 0.5, lambda: 1 }))
      .advantages[0]!,
  ]);
  assertEquals(paid, [[-0.5, 0], [-1, 0.5], [-0.75, 0.25]]);
});

Deno.test("the ratio's denominator is what was sampled from, not the policy at temperature 1", () => {
  const logprobs = Float32Array.of(-0.5), logprobsT1 = Float32Array.of(-0.9);
  const rows = [row({ tokenRewards: Float32Array.of(1), logprobs, logprobsT1 })];
  assertEquals(advantagesOf(rows, [[0]], UNIT_SCALE, withDefaults({})).oldLogprobs, [logprobs]);
});

Deno.test("a length-normalised reward has a prefix of the same share", () => {
  const tokenRewards = Float32Array.of(2, 4, 6);
  const rows = [row({ tokenRewards, rawReward: 12, reward: 4 })];
  const { offsets } = advantagesOf(
    rows,
    [[0, 0, 0]],
    { centre: 0, scale: 2 },
    withDefaults({ residual_critic: true }),
  );
  assertClose(offsets[0]!, [0, 1 / 3, 1], 1e-12);
});

Deno.test("the scaled reward is clipped after centring, at the last token", () => {
  const rows = [
    row({ tokenRewards: Float32Array.of(0, 30) }),
    row({ tokenRewards: Float32Array.of(-30, 0) }),
  ];
  const { returns } = advantagesOf(
    rows,
    [[0, 0], [0, 0]],
    { centre: 2, scale: 2 },
    withDefaults({ reward_clip: 10, lambda: 1 }),
  );
  assertEquals(returns.map((r) => [...r]), [[10, 10], [-10, -10]]);
});

Deno.test("rewardScaleOf() keeps what was fitted, fits mean and n − 1 deviation otherwise, or does neither", () => {
  const rows = [1, 3].map((reward) => row({ tokenRewards: Float32Array.of(reward) }));
  const kept = { centre: 7, scale: 9 };
  assertEquals(rewardScaleOf(rows, kept, withDefaults({})), kept);
  assertEquals(rewardScaleOf(rows, undefined, withDefaults({})), { centre: 2, scale: Math.SQRT2 });
  assertEquals(rewardScaleOf(rows, kept, withDefaults({ normalise_reward: false })), UNIT_SCALE);
});
