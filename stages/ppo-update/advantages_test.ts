import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { gae } from "@/lib/model/rl/gae.ts";
import { rewardColumns } from "@/lib/model/reward/scored_rows.ts";
import { LENGTH_NORMS, type LengthNorm } from "@/lib/model/rl/length_norm.ts";
import { UNIT_SCALE } from "@/lib/model/rl/reward_scale.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { scoredRow as row, trajectoriesOf, withDefaults } from "@/tests/support/ppo_rows.ts";
import type { Params } from "./params.ts";
import { tokenKl } from "./rewards.ts";
import { advantageStatistics } from "./statistics.ts";
import { rolloutOf, type Trajectory } from "./trajectory.ts";

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

const advantagesOf = ({ trajectories }: { readonly trajectories: readonly Trajectory[] }) =>
  trajectories.map(({ advantages }) => [...advantages]);

/** Multiples of 1/64, so that sums of f32 are exact. */
const number = fc.integer({ min: -192, max: 192 }).map((n) => n / 64);
const responses = fc.array(
  fc.array(fc.record({ reward: number, head: number, kl: number }), { minLength: 1, maxLength: 9 }),
  { minLength: 1, maxLength: 5 },
);
const column = (
  tokens: readonly { reward: number; head: number; kl: number }[],
  name: "reward" | "head" | "kl",
) => Float32Array.from(tokens, (token) => token[name]);

Deno.test("a residual critic with the reward at the end equals a plain critic with rewards per token, for every λ (statement 67)", () => {
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
        const { trajectories } = trajectoriesOf(
          rows,
          heads,
          { centre: 0, scale },
          withDefaults({ lambda, beta: 0.5, residual_critic: true }),
        );
        trajectories.forEach(({ advantages, critic }, i) => {
          const kl = column(all[i]!, "kl");
          const dense = gae({
            rewards: rows[i]!.tokenRewards.map((r, t) => r / scale - 0.5 / scale * kl[t]!),
            values: heads[i]!,
            gamma: 1,
            lambda,
          });
          assertClose(advantages, dense.advantages, 1e-4, "advantage");
          assertClose(
            critic!.returns.map((r, t) => r - critic!.offsets[t]!),
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
    const on = trajectoriesOf(rows, heads, scale, withDefaults({ beta: 0.25, residual_critic: true }));
    const values = on.trajectories.map(({ critic }) => critic!.oldValues);
    const off = trajectoriesOf(rows, values, scale, withDefaults({ beta: 0.25 }));
    off.trajectories.forEach(({ advantages, critic }, i) => {
      assertEquals(on.trajectories[i]!.advantages, advantages);
      assertEquals(on.trajectories[i]!.critic!.returns, critic!.returns);
      assertEquals(critic!.offsets.every((x) => x === 0), true);
    });
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
  const of = (given: Partial<Params>) =>
    trajectoriesOf(rows, golden.values, UNIT_SCALE, withDefaults({ ...settings, ...given })).trajectories;
  const plain = of({}), white = of({ whiten_advantages: true });
  plain.forEach((trajectory, i) => {
    const { oldValues, returns } = trajectory.critic!;
    assertClose(tokenKl(trajectory, "sft"), golden.kl_k1[i], 1e-5, "kl");
    assertClose(oldValues, golden.values[i], 0, "value");
    assertClose(trajectory.advantages, golden.advantages[i], 1e-4, "advantage");
    assertClose(returns, golden.returns[i], 1e-4, "return");
    assertClose(white[i]!.advantages, golden.whitened_advantages[i], 1e-4, "whitened");
    assertEquals(white[i]!.critic!.returns, returns); // the critic is trained on unwhitened returns
  });
  const { explained_variance } = advantageStatistics(plain, plain, 0);
  assertAlmostEquals(explained_variance!, golden.explained_variance_before, 1e-4);
});

Deno.test("the explained variance of a residual critic is that of its head", () => {
  const rows = [[9, -2, 4], [-8, 1, 1, 3]].map((rewards) =>
    row({ tokenRewards: Float32Array.from(rewards) })
  );
  const params = withDefaults({ residual_critic: true, lambda: 1 });
  const of = (heads: readonly (readonly number[])[]) => {
    const { trajectories } = trajectoriesOf(rows, heads, UNIT_SCALE, params);
    return advantageStatistics(trajectories, trajectories, 0).explained_variance!;
  };
  assertEquals(
    of([[0, 0, 0], [0, 0, 0, 0]]),
    0,
    "a head of zeros explains nothing, though the prefix varies",
  );
  assertAlmostEquals(of([[11, 2, 4], [-3, 5, 4, 3]]), 1, 1e-12); // the rewards of the remaining tokens
});

Deno.test("the penalty is the KL to SFT, to the base, or half to each; at temperature 1 without top-k and top-p", () => {
  const scored = row({
    tokenRewards: Float32Array.of(0, 0),
    logprobs: Float32Array.of(-1, -2),
    sftLogprobs: Float32Array.of(-2, -2),
    baseLogprobs: Float32Array.of(-4, -1),
  });
  const references = ["sft", "base", "both"] as const;
  const klOf = (of: ScoredRow) => references.map((reference) => [...tokenKl(rolloutOf(of), reference)]);
  assertEquals(klOf(scored), [[1, 0], [3, -1], [2, -0.5]]);
  assertEquals(klOf({ ...scored, logprobsT1: Float32Array.of(-1.5, -2.5) })[0], [0.5, -0.5]);
  // A plain critic of zeros and λ = 1: the advantage is the sum of all later rewards.
  const returnsToGo = references.map((kl_reference) => {
    const params = withDefaults({ kl_reference, beta: 0.5, lambda: 1 });
    return advantagesOf(trajectoriesOf([scored], [[0, 0]], UNIT_SCALE, params))[0];
  });
  assertEquals(returnsToGo, [[-0.5, 0], [-1, 0.5], [-0.75, 0.25]]);
});

/** A scored row as `score` writes it with length normalisation. */
const normalised = (norm: LengthNorm, rewards: readonly number[]) =>
  row(rewardColumns(Float64Array.from(rewards), { lengthNorm: norm, lengthTarget: 2 }));

Deno.test("the prefix of a length-normalised reward is the normalised reward of a response that ends before the token", () => {
  const params = withDefaults({ residual_critic: true });
  const offsetsOf = (norm: LengthNorm, rewards: readonly number[]) =>
    trajectoriesOf([normalised(norm, rewards)], [rewards.map(() => 0)], { centre: 0, scale: 2 }, params)
      .trajectories[0]!.critic!.offsets;
  assertClose(offsetsOf("mean", [2, 4, 6, 0]), [0, 1, 1.5, 2], 1e-6);
  for (const norm of LENGTH_NORMS) {
    const short = offsetsOf(norm, [2, 4, 6]), long = offsetsOf(norm, [2, 4, 6, -1, 3, 8]);
    assertEquals([...long.subarray(0, 3)], [...short], `${norm}: later tokens do not change it`);
  }
});

Deno.test("with length normalisation, a residual critic and dense rewards prefer the better action as a plain critic does", () => {
  // After the first token, with a reward of 2: stop with the mean 2/2 = 1, or a filler token, then stop, with 2/3 = .667.
  const rows = [normalised("mean", [2, 0]), normalised("mean", [2, 0, 0])], heads = [[0, 0], [0, 0, 0]];
  const preference = (given: Partial<Params>) => {
    const params = withDefaults({ lambda: 1, ...given });
    const [stop, filler] = advantagesOf(trajectoriesOf(rows, heads, UNIT_SCALE, params));
    return stop![1]! - filler![1]!;
  };
  assertAlmostEquals(preference({}), 1 / 3, 1e-6);
  assertAlmostEquals(preference({ residual_critic: true }), 1 / 3, 1e-6);
  assertAlmostEquals(preference({ reward_placement: "dense" }), 1 / 3, 1e-6);
  assertAlmostEquals(
    preference({ advantage_estimator: "reinforce", reward_placement: "dense" }),
    1 / 3,
    1e-6,
  );
});

Deno.test("with length normalisation too, a residual critic has the advantages of dense rewards, and the response's return", () => {
  const lambda = fc.double({ min: 0, max: 1, noNaN: true }), norm = fc.constantFrom(...LENGTH_NORMS);
  fc.assert(fc.property(responses, lambda, norm, (all, lambda, norm) => {
    const rows = all.map((tokens) => normalised(norm, tokens.map(({ reward }) => reward)));
    const heads = all.map((tokens) => column(tokens, "head")), scale = { centre: 1, scale: 2 };
    const of = (given: Partial<Params>) =>
      trajectoriesOf(rows, heads, scale, withDefaults({ lambda, ...given }));
    const residual = of({ residual_critic: true }), dense = advantagesOf(of({ reward_placement: "dense" }));
    advantagesOf(residual).forEach((advantages, i) => assertClose(advantages, dense[i]!, 1e-5, norm));
    const whole = of({ residual_critic: true, lambda: 1 }).trajectories;
    whole.forEach(({ critic, scaledReward }) =>
      assertClose(critic!.returns, critic!.returns.map(() => scaledReward), 1e-5, "return")
    );
  }));
});

Deno.test("at a sampling temperature other than 1 the expected estimate is the KL of the sampled policy to the reference", () => {
  const temperature = 0.7,
    logits = { policy: [2, 0.3, -1, 0.5], sft: [1, 1, -0.5, 0], base: [-1, 0.2, 1.5, 0] };
  const logprobs = (row: readonly number[], tau: number) => {
    const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x / tau), 0));
    return row.map((x) => x / tau - total);
  };
  const at = (tau: number) => [logits.policy, logits.sft, logits.base].map((row) => logprobs(row, tau));
  const [policy, sft, base] = at(temperature) as [number[], number[], number[]];
  const [policyT1, sftT1, baseT1] = at(1) as [number[], number[], number[]];
  // One response of one token for each id of the vocabulary, weighted by its probability under the sampler.
  const rollouts = policy.map((_, id) =>
    rolloutOf(row({
      tokenRewards: Float32Array.of(0),
      responseIds: Int32Array.of(id),
      logprobs: Float32Array.of(policy[id]!),
      logprobsT1: Float32Array.of(policyT1[id]!),
      sftLogprobs: Float32Array.of(sftT1[id]!),
      baseLogprobs: Float32Array.of(baseT1[id]!),
      temperature,
      sftLogprobsTempered: Float32Array.of(sft[id]!),
      baseLogprobsTempered: Float32Array.of(base[id]!),
    }))
  );
  const klOf = (p: readonly number[], q: readonly number[]) =>
    p.reduce((sum, x, i) => sum + Math.exp(x) * (x - q[i]!), 0);
  const expected = (reference: Params["kl_reference"]) =>
    rollouts.reduce((sum, rollout, id) => sum + Math.exp(policy[id]!) * tokenKl(rollout, reference)[0]!, 0);
  assertAlmostEquals(expected("sft"), klOf(policy, sft), 1e-6);
  assertAlmostEquals(expected("base"), klOf(policy, base), 1e-6);
  assertAlmostEquals(expected("both"), (klOf(policy, sft) + klOf(policy, base)) / 2, 1e-6);
  // At temperature 1 throughout, samples of the sharper policy would not estimate the KL.
  const biased = policy.reduce((sum, x, id) => sum + Math.exp(x) * (policyT1[id]! - sftT1[id]!), 0);
  assertEquals(Math.abs(biased - klOf(policyT1, sftT1)) > 0.05, true);
});

Deno.test("the scaled reward is clipped after centring, at the last token", () => {
  const rows = [
    row({ tokenRewards: Float32Array.of(0, 30) }),
    row({ tokenRewards: Float32Array.of(-30, 0) }),
  ];
  const params = withDefaults({ reward_clip: 10, lambda: 1 });
  const { trajectories } = trajectoriesOf(rows, [[0, 0], [0, 0]], { centre: 2, scale: 2 }, params);
  assertEquals(trajectories.map(({ critic }) => [...critic!.returns]), [[10, 10], [-10, -10]]);
});

const response = (promptId: string, ...rewards: number[]): ScoredRow =>
  row({ promptId, tokenRewards: Float32Array.from(rewards) });

Deno.test("dense rewards under a plain critic give the advantages of the reward at the end under a residual critic (statement 67)", () => {
  fc.assert(fc.property(responses, fc.double({ min: 0, max: 1, noNaN: true }), (all, lambda) => {
    const rows = all.map((tokens) =>
      row({ tokenRewards: column(tokens, "reward"), logprobs: column(tokens, "kl") })
    );
    const heads = all.map((tokens) => column(tokens, "head")), scale = { centre: 0, scale: 2 };
    const settings = { lambda, beta: 0.5 };
    const of = (given: Partial<Params>) =>
      advantagesOf(trajectoriesOf(rows, heads, scale, withDefaults({ ...settings, ...given })));
    const atEnd = of({ residual_critic: true });
    of({ reward_placement: "dense" }).forEach((dense, i) => assertClose(dense, atEnd[i]!, 1e-9, "advantage"));
  }));
});

Deno.test("without a critic: returns to go, or a response's total compared with the other responses to its prompt", () => {
  const rows = [response("a", 1, 2), response("b", 5, 0, 1), response("a", 7), response("b", 2)];
  const of = (advantage_estimator: Params["advantage_estimator"], given: Partial<Params> = {}) => {
    const found = trajectoriesOf(rows, [], UNIT_SCALE, withDefaults({ advantage_estimator, ...given }));
    assertEquals(found.trajectories.every(({ critic }) => critic === undefined), true);
    return advantagesOf(found);
  };
  assertEquals(of("reinforce"), [[3, 3], [6, 6, 6], [7], [2]]);
  assertEquals(of("reinforce", { reward_placement: "dense" }), [[3, 2], [6, 1, 1], [7], [2]]);
  assertEquals(of("rloo"), [[-4, -4], [4, 4, 4], [4], [-4]]);
  assertEquals(of("reinforce_pp_baseline"), [[-2, -2], [2, 2, 2], [2], [-2]]);
  const white = of("reinforce_pp", { whiten_advantages: true }).flat();
  assertAlmostEquals(white.reduce((a, b) => a + b), 0, 1e-9);
  assertAlmostEquals(white.reduce((a, b) => a + b * b, 0) / white.length, 1, 1e-6);
});

Deno.test("estimators that compare responses refuse prompts with a single one, by name", () => {
  const rows = [response("a", 1), response("b", 1), response("b", 2), response("c", 3)];
  assertThrows(
    () => trajectoriesOf(rows, [], UNIT_SCALE, withDefaults({ advantage_estimator: "rloo" })),
    DataError,
    "advantage_estimator=rloo requires at least two responses per prompt (samples_per_prompt of rollout), got one for " +
      '"a", "c"',
  );
});

Deno.test("a masked response is not trained on and does not change the others' advantages", () => {
  const ended = { finishReason: "eos" } as const;
  const rows = [
    { ...response("a", 1, 0), ...ended },
    { ...response("b", 3), ...ended },
    response("c", 1000, 1000),
  ];
  const heads = rows.map(({ responseIds }) => new Float32Array(responseIds.length)), scale = UNIT_SCALE;
  const settings = withDefaults({ missing_eos: "mask", whiten_advantages: true });
  const masked = trajectoriesOf(rows, heads, scale, settings);
  assertEquals(masked.trajectories.length, 2);
  assertEquals(masked, trajectoriesOf(rows.slice(0, 2), heads.slice(0, 2), scale, settings));
});

Deno.test("advantages are clipped after whitening (statement 41)", () => {
  const rows = [response("a", 0), response("b", 0), response("c", 0), response("d", 100)];
  const settings = withDefaults({ advantage_estimator: "reinforce", whiten_advantages: true });
  const of = (advantage_clip: number | null) =>
    advantagesOf(trajectoriesOf(rows, [], UNIT_SCALE, { ...settings, advantage_clip })).flat();
  assertAlmostEquals(of(null)[3]!, Math.sqrt(3), 1e-6);
  assertEquals(of(0.5), [-0.5, -0.5, -0.5, 0.5]);
});

Deno.test("a truncated response bootstraps the critic's value after its last token, plus the reward so far (statement 5)", () => {
  const ended = { ...response("a", 2, 4), finishReason: "eos" } as const, truncated = response("b", 2, 4);
  const rows = [ended, truncated], heads = [[0.5, 1], [0.5, 1]], scale = { centre: 2, scale: 2 };
  const of = (given: Partial<Params>) => {
    const params = withDefaults({ lambda: 0.5, ...given });
    const afterLast = params.truncated_value === "bootstrap" ? [undefined, 0.25] : [];
    const found = trajectoriesOf(rows, heads, scale, params, afterLast);
    const bootstraps = found.trajectories.flatMap(({ critic }) => critic!.bootstrap ?? []);
    return { advantages: advantagesOf(found), bootstraps };
  };
  const bootstrap = { truncated_value: "bootstrap" } as const;
  // Plain critic, reward (6 − 2)/2 = 2 at an end: δ = (1 − 0.5, 2 − 1) where it ended, (1 − 0.5, 0.25 − 1) where it continues.
  assertEquals(of({}), { advantages: [[1, 1], [1, 1]], bootstraps: [] });
  assertEquals(of(bootstrap), { advantages: [[1, 1], [0.125, -0.75]], bootstraps: [0.25] });
  // Residual critic: V = (0.5, 1 + 1), then 3 + 0.25 after the last token: δ = (2 − 0.5, 2 − 2) and (2 − 0.5, 3.25 − 2).
  const residual = { residual_critic: true };
  assertEquals(of(residual), { advantages: [[1.5, 0], [1.5, 0]], bootstraps: [] });
  assertEquals(of({ ...residual, ...bootstrap }), {
    advantages: [[1.5, 0], [2.125, 1.25]],
    bootstraps: [3.25],
  });
  // Dense rewards (1, 2), and at an end (6 − 2)/2 − 3 = −1: the same advantages (statement 67).
  assertEquals(of({ reward_placement: "dense", ...bootstrap }), {
    advantages: [[1.5, 0], [2.125, 1.25]],
    bootstraps: [0.25],
  });
  // Two tokens from the start: γ² and λ.
  assertEquals(of({ ...bootstrap, gamma: 0.5, lambda: 1 }).advantages[1], [-0.4375, -0.875]);
});
