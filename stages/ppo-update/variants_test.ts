/** The stage's variants on files: estimators without a critic, KL in the loss, aggregation, schedules, masks. @module */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { dirname } from "node:path";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { readTrainerState } from "@/lib/data/contracts/trainer_state.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import {
  bytesOf,
  CRITIC,
  type Iteration,
  scoredRollouts,
  SFT,
  update,
} from "@/tests/support/ppo_iterations.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const START = { policy: SFT, critic: CRITIC };
const ROWS = scoredRollouts(SFT);
const weights = (directory: string) => loadModel(directory).parameters.data;
const next = ({ policy, critic, state }: Iteration) => ({ policy, critic, state });
const prefixed = (count: number) => ROWS.map((row, i) => ({ ...row, promptId: `p${Math.floor(i / count)}` }));

Deno.test("without a critic the policy is updated from the first iteration on, and a given critic is passed on without metrics", async () => {
  using directory = new TemporaryDirectory();
  const rows = prefixed(4);
  const seen: string[] = [];
  for (const advantage_estimator of ["reinforce", "reinforce_pp", "reinforce_pp_baseline", "rloo", "grpo"]) {
    const params = {
      advantage_estimator,
      critic_warmup_iterations: 2,
      whiten_advantages: advantage_estimator !== "reinforce",
    };
    const after = await update(directory, START, rows, { params });
    assertEquals(digestDirectory(after.critic), digestDirectory(CRITIC));
    assertEquals([after.metrics.policy_updates, after.metrics.critic_updates], [4, 0]);
    const ofCritic = Object.keys(after.metrics).filter((name) =>
      /^(value|critic_lr|critic_grad|explained)/.test(name)
    );
    assertEquals(ofCritic, [], advantage_estimator);
    seen.push(bytesOf(after)[0]!);
  }
  assertEquals(
    new Set(seen).size,
    4,
    "whitened, a mean over all and one over the others differ by a factor alone",
  );
});

Deno.test("estimators without a critic need none and write none: policy and state have the same bytes", async () => {
  using directory = new TemporaryDirectory();
  const params = { advantage_estimator: "reinforce_pp" };
  const twoIterations = async (critic: { readonly critic?: string }, kl_stop: number | null) => {
    const first = await update(directory, { policy: SFT, ...critic }, ROWS, { params });
    const { policy, state } = first;
    const second = await update(directory, { policy, state, ...critic }, scoredRollouts(policy, 1), {
      params: { ...params, kl_stop },
    });
    return [first, second].map((after) => ({
      bytes: [digestDirectory(after.policy).digest, digestDirectory(after.state).digest],
      metrics: after.metrics,
      critic: [...Deno.readDirSync(dirname(after.critic))].some(({ name }) => name === "critic"),
    }));
  };
  for (const kl_stop of [null, 1e-9]) {
    const without = await twoIterations({}, kl_stop),
      with_ = await twoIterations({ critic: CRITIC }, kl_stop);
    assertEquals(without.map(({ metrics }) => metrics.stopped), [0, kl_stop === null ? 0 : 1]);
    assertEquals(without, with_.map((after) => ({ ...after, critic: false })));
    assertEquals(with_.map(({ critic }) => critic), [true, true]);
  }
});

Deno.test("gae without a critic is refused before anything is read, together with other missing inputs", async () => {
  using directory = new TemporaryDirectory();
  const error = await assertRejects(
    () => update(directory, { policy: "nowhere" }, ROWS, { params: { demo_mix: 0.5 } }),
    UsageError,
  );
  assertEquals(
    error.message,
    "Missing inputs of ppo-update: advantage_estimator=gae requires critic; " +
      "demo_mix=0.5 requires tokens",
  );
});

Deno.test("a state can go from an estimator with a critic to one without, and not back", async () => {
  using directory = new TemporaryDirectory();
  const with_ = await update(directory, START, ROWS);
  const without = await update(directory, next(with_), ROWS, {
    params: { advantage_estimator: "reinforce" },
  });
  assertEquals([without.metrics.policy_updates, without.metrics.critic_updates], [8, 4]);
  const error = await assertRejects(() => update(directory, next(without), ROWS), DataError);
  assert(error.message.includes("critic.exp_avg.model.embed_tokens.weight is missing"), error.message);
});

Deno.test("prompts with a single response are refused by an estimator that compares responses", async () => {
  using directory = new TemporaryDirectory();
  const error = await assertRejects(
    () => update(directory, START, prefixed(4).slice(0, 9), { params: { advantage_estimator: "rloo" } }),
    DataError,
  );
  assertEquals(
    error.message,
    "advantage_estimator=rloo requires at least two responses per prompt (samples_per_prompt of rollout), got one for " +
      '"p2"',
  );
});

/** Returns the KL to SFT of a policy's fresh rollouts after iterations whose reward is 0, so that only the penalty acts. */
async function klAfter(
  directory: TemporaryDirectory,
  from: Iteration,
  params: Record<string, unknown>,
): Promise<number> {
  let last = from;
  for (let iteration = 1; iteration < 3; iteration++) {
    const rows = scoredRollouts(last.policy, iteration, { count: 16 }).map((row) => ({
      ...row,
      tokenRewards: new Float32Array(row.tokenRewards.length),
      rawReward: 0,
      reward: 0,
    }));
    last = await update(directory, next(last), rows, { iteration, params });
  }
  const { metrics } = await update(directory, next(last), scoredRollouts(last.policy, 9, { count: 16 }), {
    params: { lr: 0, ...params },
  });
  return metrics.kl_to_sft_k3!;
}

Deno.test("a KL penalty alone brings the policy back, from the reward and from the loss, by k2 and k3", async () => {
  using directory = new TemporaryDirectory();
  const left = await update(directory, START, scoredRollouts(SFT, 0, { count: 16 }), {
    params: { beta: 0, lr: 3e-3, epochs: 4 },
  });
  const free = { beta: 0, normalise_reward: false, whiten_advantages: false, lr: 3e-3, epochs: 2 };
  const without = await klAfter(directory, left, free);
  assert(without > 1, `${without}`);
  for (
    const params of [
      { kl_placement: "reward" },
      { kl_placement: "loss" },
      { kl_placement: "loss", kl_estimator: "k3" },
    ]
  ) {
    const held = await klAfter(directory, left, { ...free, beta: 1, ...params });
    assert(held < 0.7 * without, `${JSON.stringify(params)}: ${held} of ${without}`);
  }
});

Deno.test("a penalty in the loss is in units of the raw reward: scale and whitening divide its coefficient", async () => {
  using directory = new TemporaryDirectory();
  const { metrics } = await update(directory, START, ROWS, {
    params: { kl_placement: "loss", beta: 0.5, whiten_advantages: false },
  });
  assertAlmostEquals(metrics.scaled_beta!, 0.5 / metrics.reward_scale!, 1e-12);
  assertAlmostEquals(metrics.kl_penalty!, 0.5 * metrics.kl_to_sft!, 1e-12);
  assert(metrics.kl_loss! >= 0);
  const none = await update(directory, START, ROWS, { params: { kl_placement: "loss", beta: 0 } });
  assertEquals(["kl_loss" in none.metrics, "scaled_beta" in none.metrics], [false, false]);
});

Deno.test("beta follows kl_target through the state, and only then", async () => {
  using directory = new TemporaryDirectory();
  const params = { kl_target: 0.01, kl_horizon: 80, lr: 1e-2 };
  const first = await update(directory, START, ROWS, { params });
  assertAlmostEquals(readTrainerState(first.state).beta, 0.1 * (1 - 0.2 * 16 / 80), 1e-12, "no KL yet");
  const rows = scoredRollouts(first.policy, 1);
  const second = await update(directory, next(first), rows, { params, iteration: 1 });
  assertEquals(second.metrics.beta, readTrainerState(first.state).beta);
  assert(second.metrics.kl_to_sft! > 0.012, `${second.metrics.kl_to_sft}`);
  assertAlmostEquals(
    readTrainerState(second.state).beta,
    second.metrics.beta! * (1 + 0.2 * 16 / 80),
    1e-12,
  );
});

Deno.test("a fluency budget raises beta while the base's NLL of the responses is beyond it", async () => {
  using directory = new TemporaryDirectory();
  const params = { fluency_budget: 0.05, fluency_growth: 2, max_logprob_gap: null }, run = { params };
  const first = await update(directory, START, ROWS, run);
  const unlikely = (rise: number) => ROWS.map((row) => ({ ...row, baseNll: row.baseNll! + rise }));
  const second = await update(directory, next(first), unlikely(0.2), { ...run, iteration: 1 });
  const third = await update(directory, next(second), unlikely(0.01), { ...run, iteration: 2 });
  const fourth = await update(directory, next(third), ROWS, { ...run, iteration: 3 });
  assertEquals([first, second, third, fourth].map(({ metrics }) => metrics.beta), [0.1, 0.1, 0.2, 0.1]);
  assertEquals([second, third].map(({ metrics }) => metrics.fluency_factor), [1, 2]);
});

Deno.test("running rewards are kept in the state: two iterations have the scale of all rewards", async () => {
  using directory = new TemporaryDirectory();
  const params = { reward_scaling: "running", epochs: 1 };
  const first = await update(directory, START, ROWS, { params });
  const rows = ROWS.map((row) => ({ ...row, reward: row.reward + 10, rawReward: row.rawReward + 10 }));
  const second = await update(directory, next(first), rows, { params, iteration: 1 });
  const all = [...ROWS, ...rows].map(({ reward }) => reward), mean = all.reduce((a, b) => a + b) / all.length;
  const deviation = Math.sqrt(all.reduce((sum, r) => sum + (r - mean) ** 2, 0) / (all.length - 1));
  assertAlmostEquals(second.metrics.reward_centre!, mean, 1e-9);
  assertAlmostEquals(second.metrics.reward_scale!, deviation, 1e-9);
  assertEquals(second.metrics.episodes, 32);
});

Deno.test("an iteration with normalise_reward off stores no scale, and the first one with it on fits it", async () => {
  using directory = new TemporaryDirectory();
  const off = await update(directory, START, ROWS, { params: { normalise_reward: false } });
  assertEquals([off.metrics.reward_centre, off.metrics.reward_scale], [0, 1]);
  const { rewardCentre, rewardScale } = readTrainerState(off.state);
  assertEquals([rewardCentre, rewardScale], [null, null]);
  const on = await update(directory, next(off), scoredRollouts(off.policy, 1), { iteration: 1 });
  assertEquals([on.metrics.reward_centre, on.metrics.reward_scale], [
    on.metrics.reward,
    on.metrics.reward_std,
  ]);
});

Deno.test("masked responses change neither network: an iteration without them has the same weights", async () => {
  using directory = new TemporaryDirectory();
  const truncated = (row: ScoredRow, i: number): ScoredRow => ({
    ...row,
    finishReason: i % 3 === 0 ? "length" : "eos",
  });
  const rows = ROWS.map(truncated), ended = rows.filter(({ finishReason }) => finishReason === "eos");
  const masked = await update(directory, START, rows, { params: { missing_eos: "mask" } });
  const without = await update(directory, START, ended);
  assertEquals(weights(masked.policy), weights(without.policy));
  assertEquals(weights(masked.critic), weights(without.critic));
  assertEquals([masked.metrics.trained_responses, masked.metrics.responses], [ended.length, ROWS.length]);
  const none = await update(
    directory,
    START,
    rows.map((row) => ({ ...row, finishReason: "length" as const })),
    {
      params: { missing_eos: "mask" },
    },
  );
  assertEquals(weights(none.policy), weights(SFT));
  assertEquals(none.metrics.policy_updates, 0);
});

Deno.test("the policy's loss aggregates tokens in three ways, the critic's in one", async () => {
  using directory = new TemporaryDirectory();
  const rows = ROWS.map((row, i) => i % 2 === 0 ? row : shortened(row));
  const all: Iteration[] = [];
  for (const loss_aggregation of ["token_mean", "sequence_mean", "sequence_sum"]) {
    all.push(
      await update(directory, START, rows, { params: { loss_aggregation, max_logprob_gap: null } }),
    );
  }
  assertEquals(new Set(all.map((of) => bytesOf(of)[0])).size, 3);
  assertEquals(new Set(all.map((of) => bytesOf(of)[1])).size, 1);
});

function shortened(row: ScoredRow): ScoredRow {
  const cut = <T extends Float32Array | Int32Array>(x: T) => x.slice(0, 3) as T;
  return {
    ...row,
    responseIds: cut(row.responseIds),
    logprobs: cut(row.logprobs),
    sftLogprobs: cut(row.sftLogprobs),
    targetLogprobs: cut(row.targetLogprobs),
    baseLogprobs: cut(row.baseLogprobs),
    tokenRewards: cut(row.tokenRewards),
    finishReason: "length",
  };
}

Deno.test("a linear schedule takes both learning rates to 1/n in the last of n iterations, and to 0 after it (statements 4 and 19)", async () => {
  using directory = new TemporaryDirectory();
  const params = { lr_schedule: "linear", schedule_iterations: 2, epochs: 1 };
  const first = await update(directory, START, ROWS, { params });
  const second = await update(directory, next(first), ROWS, { params, iteration: 1 });
  const third = await update(directory, next(second), ROWS, { params, iteration: 2 });
  assertEquals([first, second, third].map(({ metrics }) => [metrics.lr, metrics.critic_lr]), [
    [1e-3, 1e-2],
    [5e-4, 5e-3],
    [0, 0],
  ]);
  assertEquals(weights(third.policy), weights(second.policy));
});

Deno.test("dense rewards with a plain critic give the same policy as a residual critic, up to rounding (statement 67)", async () => {
  using directory = new TemporaryDirectory();
  const params = { epochs: 1, minibatch_size: 16, centre_reward: false };
  const residual = await update(directory, START, ROWS, { params });
  const dense = await update(directory, START, ROWS, {
    params: { ...params, reward_placement: "dense", residual_critic: false },
  });
  const [a, b] = [weights(residual.policy), weights(dense.policy)];
  a.forEach((w, i) => assertAlmostEquals(w, b[i]!, 1e-5));
  assertNotEquals(a, weights(SFT));
});

Deno.test("truncated_value=bootstrap changes the update of truncated responses, and not a byte where there are none (statement 5)", async () => {
  using directory = new TemporaryDirectory();
  const run = (rows: readonly ScoredRow[], truncated_value: string) =>
    update(directory, START, rows, { params: { truncated_value } });
  const ended = ROWS.map((row) => ({ ...row, finishReason: "eos" as const }));
  const truncated = ended.map((row, i) => i % 2 === 0 ? row : { ...row, finishReason: "length" as const });
  const whole = await run(ended, "zero");
  assertEquals(bytesOf(await run(ended, "bootstrap")), bytesOf(whole));
  // The state counts the ends; policy and critic do not depend on them.
  const models = (of: Iteration) => bytesOf(of).slice(0, 2);
  assertEquals(
    models(await run(truncated, "zero")),
    models(whole),
    "zero treats a truncated response as ended",
  );
  const open = await run(truncated, "bootstrap");
  models(open).forEach((digest, i) => assertNotEquals(digest, models(whole)[i]));
  assert(Number.isFinite(open.metrics.bootstrap_mean));
  assertEquals(whole.metrics.bootstrap_mean, undefined);
});
