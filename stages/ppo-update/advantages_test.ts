import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { gae } from "@/lib/rl/gae.ts";
import { UNIT_SCALE } from "@/lib/rl/ppo_rewards.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { type Params } from "./params.ts";
import { tokenKl } from "./pay.ts";
import { advantagesFor, scoredRow as row, withDefaults } from "@/tests/support/ppo_rows.ts";

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
        const found = advantagesFor(
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
            found.critic!.returns[i]!.map((r, t) => r - found.critic!.offsets[i]![t]!),
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
    const on = advantagesFor(rows, heads, scale, withDefaults({ beta: 0.25, residual_critic: true }));
    const off = advantagesFor(
      rows,
      on.critic!.values.map((v) => Float64Array.from(v)),
      scale,
      withDefaults({ beta: 0.25 }),
    );
    assertEquals(on.advantages, off.advantages);
    assertEquals(on.critic!.returns, off.critic!.returns);
    assertEquals(off.critic!.offsets.map((o) => o.every((x) => x === 0)), rows.map(() => true));
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
  const plain = advantagesFor(rows, golden.values, UNIT_SCALE, withDefaults(settings));
  const white = advantagesFor(
    rows,
    golden.values,
    UNIT_SCALE,
    withDefaults({ ...settings, whiten_advantages: true }),
  );
  rows.forEach((_: ScoredRow, i: number) => {
    assertClose(tokenKl(rows[i]!, "sft"), golden.kl_k1[i], 1e-5, "kl");
    assertClose(plain.critic!.values[i]!, golden.values[i], 0, "value");
    assertClose(plain.advantages[i]!, golden.advantages[i], 1e-4, "advantage");
    assertClose(plain.critic!.returns[i]!, golden.returns[i], 1e-4, "return");
    assertClose(white.advantages[i]!, golden.whitened_advantages[i], 1e-4, "whitened");
    assertEquals(white.critic!.returns[i], plain.critic!.returns[i]); // the critic learns unwhitened returns
  });
  assertAlmostEquals(plain.critic!.explainedVariance!, golden.explained_variance_before, 1e-4);
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
    ...advantagesFor([figures], [[0, 0]], UNIT_SCALE, withDefaults({ kl_reference, beta: 0.5, lambda: 1 }))
      .advantages[0]!,
  ]);
  assertEquals(paid, [[-0.5, 0], [-1, 0.5], [-0.75, 0.25]]);
});

Deno.test("a length-normalised reward has a prefix of the same share", () => {
  const tokenRewards = Float32Array.of(2, 4, 6);
  const rows = [row({ tokenRewards, rawReward: 12, reward: 4 })];
  const { critic } = advantagesFor(
    rows,
    [[0, 0, 0]],
    { centre: 0, scale: 2 },
    withDefaults({ residual_critic: true }),
  );
  assertClose(critic!.offsets[0]!, [0, 1 / 3, 1], 1e-12);
});

Deno.test("the scaled reward is clipped after centring, at the last token", () => {
  const rows = [
    row({ tokenRewards: Float32Array.of(0, 30) }),
    row({ tokenRewards: Float32Array.of(-30, 0) }),
  ];
  const { critic } = advantagesFor(
    rows,
    [[0, 0], [0, 0]],
    { centre: 2, scale: 2 },
    withDefaults({ reward_clip: 10, lambda: 1 }),
  );
  assertEquals(critic!.returns.map((r) => [...r]), [[10, 10], [-10, -10]]);
});

const answer = (promptId: string, ...rewards: number[]): ScoredRow =>
  row({ promptId, tokenRewards: Float32Array.from(rewards) });

Deno.test("dense pay under a plain critic has the advantages of pay at the end under a residual critic (statement 67)", () => {
  fc.assert(fc.property(responses, fc.double({ min: 0, max: 1, noNaN: true }), (all, lambda) => {
    const rows = all.map((tokens) =>
      row({ tokenRewards: column(tokens, "reward"), logprobs: column(tokens, "kl") })
    );
    const heads = all.map((tokens) => column(tokens, "head")), scale = { centre: 0, scale: 2 };
    const settings = { lambda, beta: 0.5 };
    const end = advantagesFor(rows, heads, scale, withDefaults({ ...settings, residual_critic: true }));
    const dense = advantagesFor(rows, heads, scale, withDefaults({ ...settings, placement: "dense" }));
    rows.forEach((_, i) => assertClose(dense.advantages[i]!, end.advantages[i]!, 1e-9, "advantage"));
  }));
});

Deno.test("without a critic: returns to go, or a response's total against the other answers to its prompt", () => {
  const rows = [answer("a", 1, 2), answer("b", 5, 0, 1), answer("a", 7), answer("b", 2)];
  const of = (advantage_estimator: Params["advantage_estimator"], given: Partial<Params> = {}) => {
    const found = advantagesFor(rows, [], UNIT_SCALE, withDefaults({ advantage_estimator, ...given }));
    assertEquals(found.critic, undefined);
    return found.advantages.map((a) => [...a]);
  };
  assertEquals(of("reinforce"), [[3, 3], [6, 6, 6], [7], [2]]);
  assertEquals(of("reinforce", { placement: "dense" }), [[3, 2], [6, 1, 1], [7], [2]]);
  assertEquals(of("rloo"), [[-4, -4], [4, 4, 4], [4], [-4]]);
  assertEquals(of("reinforce_pp_baseline"), [[-2, -2], [2, 2, 2], [2], [-2]]);
  const white = of("reinforce_pp", { whiten_advantages: true }).flat();
  assertAlmostEquals(white.reduce((a, b) => a + b), 0, 1e-9);
  assertAlmostEquals(white.reduce((a, b) => a + b * b, 0) / white.length, 1, 1e-6);
});

Deno.test("estimators that compare answers refuse prompts with one, by name", () => {
  const rows = [answer("a", 1), answer("b", 1), answer("b", 2), answer("c", 3)];
  assertThrows(
    () => advantagesFor(rows, [], UNIT_SCALE, withDefaults({ advantage_estimator: "rloo" })),
    DataError,
    'Cannot estimate advantages by rloo as every prompt must have at least two answers (samples_per_prompt of rollout): "a", ' +
      '"c" have one',
  );
});

Deno.test("a masked response has advantage 0 and does not enter whitening or explained variance", () => {
  const ended = { finishReason: "eos" } as const;
  const rows = [
    { ...answer("a", 1, 0), ...ended },
    { ...answer("b", 3), ...ended },
    answer("c", 1000, 1000),
  ];
  const heads = rows.map(({ responseIds }) => new Float32Array(responseIds.length)), scale = UNIT_SCALE;
  const settings = withDefaults({ missing_eos: "mask", whiten_advantages: true });
  const masked = advantagesFor(rows, heads, scale, settings);
  const without = advantagesFor(rows.slice(0, 2), heads.slice(0, 2), scale, settings);
  assertEquals(masked.learned, [0, 1]);
  assertEquals(masked.advantages.slice(0, 2), without.advantages);
  assertEquals([...masked.advantages[2]!], [0, 0]);
  assertEquals(masked.critic!.explainedVariance, without.critic!.explainedVariance);
  assertEquals(masked.deviation, without.deviation);
});

Deno.test("advantages are clipped after whitening (statement 41)", () => {
  const rows = [answer("a", 0), answer("b", 0), answer("c", 0), answer("d", 100)];
  const settings = withDefaults({ advantage_estimator: "reinforce", whiten_advantages: true });
  const free = advantagesFor(rows, [], UNIT_SCALE, settings).advantages.map(([a]) => a!);
  assertAlmostEquals(free[3]!, Math.sqrt(3), 1e-6);
  const clipped = advantagesFor(rows, [], UNIT_SCALE, { ...settings, advantage_clip: 0.5 }).advantages;
  assertEquals(clipped.map(([a]) => a), [-0.5, -0.5, -0.5, 0.5]);
});

Deno.test("a cut response bootstraps the critic's value behind its last token, with all that it has earned (statement 5)", () => {
  const ended = { ...answer("a", 2, 4), finishReason: "eos" } as const, cut = answer("b", 2, 4);
  const rows = [ended, cut], heads = [[0.5, 1], [0.5, 1]], scale = { centre: 2, scale: 2 };
  const of = (given: Partial<Params>, behind = [NaN, 0.25]) => {
    const { advantages, critic } = advantagesFor(
      rows,
      heads,
      scale,
      withDefaults({ lambda: 0.5, ...given }),
      behind,
    );
    return { advantages: advantages.map((a) => [...a]), bootstraps: critic!.bootstraps };
  };
  const bootstrap = { truncated_value: "bootstrap" } as const;
  // Plain critic, pay (6 − 2)/2 = 2 at an end: δ = (1 − 0.5, 2 − 1) where it ended, (1 − 0.5, 0.25 − 1) where it goes on.
  assertEquals(of({}), { advantages: [[1, 1], [1, 1]], bootstraps: [] });
  assertEquals(of(bootstrap), { advantages: [[1, 1], [0.125, -0.75]], bootstraps: [0.25] });
  // Residual critic: V = (0.5, 1 + 1), then 3 + 0.25 behind: δ = (2 − 0.5, 2 − 2) and (2 − 0.5, 3.25 − 2).
  const residual = { residual_critic: true };
  assertEquals(of(residual), { advantages: [[1.5, 0], [1.5, 0]], bootstraps: [] });
  assertEquals(of({ ...residual, ...bootstrap }), {
    advantages: [[1.5, 0], [2.125, 1.25]],
    bootstraps: [3.25],
  });
  // Dense pay (1, 2), and at an end (6 − 2)/2 − 3 = −1: the same advantages (statement 67).
  assertEquals(of({ placement: "dense", ...bootstrap }), {
    advantages: [[1.5, 0], [2.125, 1.25]],
    bootstraps: [0.25],
  });
  // Two tokens from the start: γ² and λ.
  assertEquals(of({ ...bootstrap, gamma: 0.5, lambda: 1 }).advantages[1], [-0.4375, -0.875]);
});
