/** The stage on files: what an iteration changes, what it must not change, and that iterations chain. @module */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { decodeArrow } from "@/lib/data/arrow/decode_arrow.ts";
import { readSamples } from "@/lib/data/contracts/samples.ts";
import { type ScoredRow, writeScored } from "@/lib/data/contracts/scored.ts";
import { readTrainerState } from "@/lib/data/contracts/trainer_state.ts";
import type { StageProgress } from "@/lib/data/contracts/stage.ts";
import { digestDirectory, digestFile } from "@/lib/data/files/digest.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { responseSequence } from "@/lib/model/reward/reward_model.ts";
import { ColumnError, DataError, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import {
  bytesOf,
  CRITIC,
  DIGEST,
  type Iteration,
  type IterationInputs,
  scoredRollouts,
  SFT,
  update,
} from "@/tests/support/ppo_iterations.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";

const START = { policy: SFT, critic: CRITIC };
const ROWS = scoredRollouts(SFT);
const weights = (directory: string) => loadModel(directory).parameters.data;

/** Runs `count` iterations, each on fresh rollouts of the policy before it. */
async function iterations(
  directory: TemporaryDirectory,
  count: number,
  options: { from?: IterationInputs; first?: number; params?: Record<string, unknown> } = {},
): Promise<Iteration[]> {
  const { from = START, first = 0, params = {} } = options, out: Iteration[] = [];
  for (let iteration = first; iteration < first + count; iteration++) {
    const before: IterationInputs = out.at(-1) ?? from;
    out.push(
      await update(directory, pick(before), scoredRollouts(before.policy, iteration), {
        iteration,
        seed: 5,
        params,
      }),
    );
  }
  return out;
}

function pick({ policy, critic, state }: IterationInputs): IterationInputs {
  return { policy, ...(critic === undefined ? {} : { critic }), ...(state === undefined ? {} : { state }) };
}

Deno.test("an iteration updates both networks: four updates each, and their metrics", async () => {
  using directory = new TemporaryDirectory();
  const { policy, critic, state, metrics } = await update(directory, START, ROWS);
  assertNotEquals(weights(policy), weights(SFT));
  assertNotEquals(weights(critic), weights(CRITIC));
  assertEquals([metrics.policy_updates, metrics.critic_updates, metrics.stopped], [4, 4, 0]);
  assertEquals([metrics.lr, metrics.critic_lr, metrics.beta], [1e-3, 1e-2, 0.1]);
  assert(metrics.first_ratio_deviation! < 1e-3, `${metrics.first_ratio_deviation}`);
  assertAlmostEquals(metrics.kl_to_sft!, 0, 1e-4); // sampled from SFT itself
  assert(metrics.policy_grad_norm! > 0 && metrics.critic_grad_norm! > 0);
  assert(metrics.entropy! > 1 && metrics.entropy! < Math.log(96), "a mean per token, of 96 ids");
  const rewards = ROWS.map(({ rawReward }) => rawReward),
    mean = rewards.reduce((a, b) => a + b) / rewards.length;
  assertAlmostEquals(metrics.reward!, mean, 1e-12);
  assertAlmostEquals(
    metrics.reward_std!,
    Math.sqrt(rewards.reduce((sum, r) => sum + (r - mean) ** 2, 0) / (rewards.length - 1)),
    1e-12,
  );
  assertEquals([metrics.reward_centre, metrics.reward_scale], [metrics.reward, metrics.reward_std]);
  const { firstIteration, ...numbers } = readTrainerState(state);
  assertEquals([firstIteration!.reward, firstIteration!.response_length], [
    metrics.reward,
    metrics.response_length,
  ]);
  assertEquals(numbers, {
    kind: "ppo",
    policyUpdates: 4,
    criticUpdates: 4,
    iteration: 1,
    rewardCentre: metrics.reward_centre!,
    rewardScale: metrics.reward_scale!,
    beta: 0.1,
    episodes: 16,
  });
});

Deno.test("the policy learns: responses with more than the mean reward become more likely, the others less", async () => {
  using directory = new TemporaryDirectory();
  const rows = scoredRollouts(SFT, 0, { count: 32 });
  const { policy, metrics } = await update(directory, START, rows, { params: { beta: 0, epochs: 4 } });
  const after = loadModel(policy), network = new Network(after.model, after.parameters);
  const sum = (values: Float32Array) => values.reduce((a, b) => a + b, 0);
  const moved = tokenLogprobs(network, rows.map(responseSequence)).map((logprobs, i) =>
    sum(logprobs) - sum(rows[i]!.logprobs)
  );
  const gain = (kept: (row: number) => boolean) => {
    const chosen = moved.filter((_, i) => kept(rows[i]!.reward));
    return sum(Float32Array.from(chosen)) / chosen.length;
  };
  const { reward, reward_std } = metrics;
  const good = gain((r) => r > reward! + reward_std! / 2), bad = gain((r) => r < reward! - reward_std! / 2);
  assert(good > 0.2 && bad < -0.2, `log-probabilities moved by ${good} and ${bad} nats`);
});

Deno.test("with a learning rate of 0 the ratio stays 1, nothing is clipped, the weights stay (statement 54)", async () => {
  using directory = new TemporaryDirectory();
  const { policy, metrics } = await update(directory, START, ROWS, { params: { lr: 0, epochs: 3 } });
  assertEquals(weights(policy), weights(SFT));
  assertEquals([metrics.clip_fraction, metrics.policy_updates], [0, 6]);
  assert(
    metrics.first_ratio_deviation! < 1e-3 && Math.abs(metrics.approx_kl!) < 1e-6,
    JSON.stringify(metrics),
  );
  assertEquals(metrics.lr, 0);
});

Deno.test("ratios are taken at the sampling temperature: the first ratio is 1, and the KL of the SFT model to itself 0", async () => {
  using directory = new TemporaryDirectory();
  const rows = scoredRollouts(SFT, 0, { temperature: 0.7 });
  const { metrics } = await update(directory, START, rows, { params: { temperature: 0.7 } });
  assert(metrics.first_ratio_deviation! < 1e-3, `${metrics.first_ratio_deviation}`);
  assertAlmostEquals(metrics.kl_to_sft!, 0, 1e-4);
  const other = scoredRollouts(SFT, 0, { temperature: 0.7, scoredAt: 1 });
  const wrong = await update(directory, START, other, { params: { old_logprobs: "sampled" } });
  assert(wrong.metrics.first_ratio_deviation! > 0.05, "the metric shows that the temperatures differ");
});

Deno.test("scores at another temperature than the update's are refused, and so are old ones of length-normalised rewards", async () => {
  using directory = new TemporaryDirectory();
  const refusal = async (rows: readonly ScoredRow[], params: Record<string, unknown>) => {
    const { message } = await assertRejects(() => update(directory, START, rows, { params }), DataError);
    return message.replace(/^.*arrow: /, "");
  };
  const rows = scoredRollouts(SFT, 0, { temperature: 0.7, scoredAt: 1 });
  assertEquals(
    await refusal(rows, { temperature: 0.7 }),
    "temperature of score must be that of ppo-update, 0.7, got 1",
  );
  const normalised = ROWS.map((row, i) => i === 2 ? { ...row, reward: row.rawReward / 2 } : row);
  const rule =
    `requires the column normalised_rewards for length-normalised rewards (run score again), got none for "${
      ROWS[2]!.id
    }"`;
  assertEquals(await refusal(normalised, { residual_critic: true }), `residual_critic=true ${rule}`);
  const dense = { residual_critic: false, reward_placement: "dense" };
  assertEquals(await refusal(normalised, dense), `reward_placement=dense ${rule}`);
  await update(directory, START, normalised, { params: { residual_critic: false } });
});

Deno.test("the critic's warm-up leaves the policy unchanged; then its learning rate rises to the full one", async () => {
  using directory = new TemporaryDirectory();
  const all = await iterations(directory, 5, {
    params: { critic_warmup_iterations: 2, lr_warmup_iterations: 3, epochs: 1 },
  });
  const bytes = all.map(({ policy }) => digestDirectory(policy).digest);
  assertEquals(bytes[1], bytes[0]);
  assertEquals(weights(all[1]!.policy), weights(SFT));
  assertNotEquals(bytes[2], bytes[1]);
  assertEquals(all.map(({ metrics }) => metrics.policy_updates), [0, 0, 2, 4, 6]);
  assertEquals(all.map(({ metrics }) => metrics.critic_updates), [2, 4, 6, 8, 10]);
  all.forEach(({ metrics }, i) => assertAlmostEquals(metrics.lr! * 1e3, [0, 0, 1 / 3, 2 / 3, 1][i]!, 1e-12));
  assertEquals(all.map(({ metrics }) => "policy_loss" in metrics), [false, false, true, true, true]);
});

Deno.test("warm-ups count the state's iterations, not the loop's: a run that continues elsewhere does not warm up again", async () => {
  using directory = new TemporaryDirectory();
  const params = { critic_warmup_iterations: 1, lr_warmup_iterations: 2, epochs: 1 };
  const [first] = await iterations(directory, 1, { params });
  const elsewhere = await update(directory, pick(first!), ROWS, { params, iteration: 0 });
  assertEquals([elsewhere.metrics.lr, elsewhere.metrics.policy_updates], [5e-4, 2]);
  const anew = await update(directory, START, ROWS, { params, iteration: 9 });
  assertEquals([anew.metrics.lr, anew.metrics.policy_updates], [0, 0]);
});

Deno.test("beyond the KL stop policy, critic and state are passed on unchanged", async () => {
  using directory = new TemporaryDirectory();
  const [before] = await iterations(directory, 1, { params: { lr: 1e-2, epochs: 4 } });
  const rows = scoredRollouts(before!.policy, 1);
  for (const params of [{ kl_stop: 0.01 }, { kl_stop_per_token: 0.001 }]) {
    const held = await update(directory, pick(before!), rows, { params, iteration: 1 });
    assertEquals(bytesOf(held), bytesOf(before!));
    assertEquals([held.metrics.stopped, held.metrics.policy_updates], [1, before!.metrics.policy_updates]);
    assert(held.metrics.kl_to_sft! > 0.01, `${held.metrics.kl_to_sft}`);
    assertEquals("value_loss" in held.metrics, false);
  }
  const free = await update(directory, pick(before!), rows, { params: { kl_stop: 1000 }, iteration: 1 });
  assertEquals(free.metrics.stopped, 0);
  assertNotEquals(bytesOf(free), bytesOf(before!));
});

Deno.test("two iterations and two more from their files equal four iterations (statement 60)", async () => {
  using directory = new TemporaryDirectory();
  const params = { epochs: 1 };
  const four = await iterations(directory, 4, { params });
  const two = await iterations(directory, 2, { params });
  const more = await iterations(directory, 2, { from: two[1]!, first: 2, params });
  assertEquals([...two, ...more].map(bytesOf), four.map(bytesOf));
  assertEquals(
    [...two, ...more].map(({ metricsPath }) => digestFile(metricsPath)),
    four.map(({ metricsPath }) => digestFile(metricsPath)),
  );
  const { state: _, ...withoutState } = two[1]!;
  const forgetful = await iterations(directory, 1, { from: withoutState, first: 2, params });
  assertNotEquals(bytesOf(forgetful[0]!), bytesOf(four[2]!), "the moments matter");
});

Deno.test("centre and scale of the reward are fitted in the first iteration and kept", async () => {
  using directory = new TemporaryDirectory();
  const all = await iterations(directory, 3, { params: { epochs: 1 } });
  const scales = all.map(({ metrics }) => [metrics.reward_centre, metrics.reward_scale]);
  assertEquals(scales[1], scales[0]);
  assertEquals(scales[2], scales[0]);
  assertNotEquals(all[1]!.metrics.reward, scales[0]![0]);
});

Deno.test("rewards and beta doubled give the same weights: beta is in units of the raw reward", async () => {
  using directory = new TemporaryDirectory();
  const [warm] = await iterations(directory, 1), rows = scoredRollouts(warm!.policy, 1);
  const doubled = rows.map((row) => ({
    ...row,
    tokenRewards: row.tokenRewards.map((r) => 2 * r),
    rawReward: 2 * row.rawReward,
    reward: 2 * row.reward,
  }));
  const from = { policy: warm!.policy, critic: warm!.critic };
  const plain = await update(directory, from, rows, { params: { beta: 0.25 } });
  const twice = await update(directory, from, doubled, { params: { beta: 0.5 } });
  assertEquals(weights(twice.policy), weights(plain.policy)); // factors of 2 are exact
  assertEquals(twice.metrics.reward_scale, 2 * plain.metrics.reward_scale!);
  const other = await update(directory, from, rows, { params: { beta: 0.5 } });
  assertNotEquals(weights(other.policy), weights(plain.policy));
});

Deno.test("beta is the parameter's, also with a state that was written under another", async () => {
  using directory = new TemporaryDirectory();
  const [warm] = await iterations(directory, 1), rows = scoredRollouts(warm!.policy, 1);
  const weak = await update(directory, pick(warm!), rows),
    strong = await update(directory, pick(warm!), rows, { params: { beta: 3 } });
  assertEquals([weak.metrics.beta, strong.metrics.beta], [0.1, 3]);
  assertNotEquals(weights(strong.policy), weights(weak.policy));
  assertEquals(readTrainerState(strong.state).beta, 3);
});

Deno.test("a causal model becomes a critic with a head of zeros", async () => {
  using directory = new TemporaryDirectory();
  const { critic } = await update(directory, { policy: SFT, critic: SFT }, ROWS, {
    params: { critic_lr: 0 },
  });
  const { model, parameters } = loadModel(critic);
  assertEquals([model.headKind, model.config.num_labels], ["score", 1]);
  assert(parameters.view("score.weight").every((w) => w === 0));
  assertEquals(
    parameters.view("model.embed_tokens.weight"),
    loadModel(SFT).parameters.view("model.embed_tokens.weight"),
  );
});

Deno.test("minibatches depend on seed and iteration only", async () => {
  using directory = new TemporaryDirectory();
  const run = async (given: { seed?: number; iteration?: number; params?: Record<string, unknown> }) =>
    bytesOf(await update(directory, START, ROWS, given))[0];
  const first = await run({ seed: 1 });
  assertEquals(await run({ seed: 1 }), first);
  assertNotEquals(await run({ seed: 2 }), first);
  assertNotEquals(await run({ seed: 1, iteration: 1 }), first);
});

Deno.test("the micro-batch size changes nothing beyond rounding", async () => {
  using directory = new TemporaryDirectory();
  const [large, small] = [
    await update(directory, START, ROWS),
    await update(directory, START, ROWS, { params: { micro_batch_tokens: 24 } }),
  ];
  for (const [name, value] of Object.entries(large.metrics)) {
    assertAlmostEquals(small.metrics[name]!, value, 1e-4 * Math.max(1, Math.abs(value)), name);
  }
});

Deno.test("progress reports the metrics so far, and at the end the tokens that were trained on", async () => {
  using directory = new TemporaryDirectory();
  const reports: StageProgress[] = [];
  await update(directory, START, ROWS, { progress: (p) => reports.push(p) });
  const updates = reports.filter(({ step }) => step !== undefined);
  assertEquals(updates.map(({ step, total }) => [step, total]), [[0, 4], [1, 4], [2, 4], [3, 4]]);
  assertEquals("policy_loss" in updates[0]!.fields!, false);
  assert(Number.isFinite(updates[1]!.fields!.policy_loss) && Number.isFinite(updates[1]!.fields!.kl_to_sft));
  const tokens = ROWS.reduce((sum, row) => sum + row.promptIds.length + row.responseIds.length, 0);
  assertEquals(reports.at(-1), { fields: { tokens: 2 * tokens } });
});

Deno.test("an interrupted iteration is discarded, with a message that says so", async () => {
  using directory = new TemporaryDirectory();
  await assertRejects(
    () => update(directory, START, ROWS, { stopAfter: 2 }),
    TryAgainError,
    "Interrupted: this iteration is discarded. Run the same command to resume",
  );
});

Deno.test("a reward that is not finite is refused with its row, by writer and reader", async () => {
  using directory = new TemporaryDirectory();
  const rows = ROWS.map((row, i) => i === 3 ? { ...row, reward: NaN } : row),
    path = directory.file("bad.arrow");
  await assertRejects(
    () => writeScored(path, { rows, tokenizerDigest: DIGEST }),
    ColumnError,
    `${path} (scored@1): column "reward", row 3 must be finite, got NaN`,
  );
  // The same file with the bits of one number changed, as no writer of ours would leave it.
  const marker = 1234.0625, good = ROWS.map((row, i) => i === 3 ? { ...row, reward: marker } : row);
  await writeScored(path, { rows: good, tokenizerDigest: DIGEST });
  const bytes = Deno.readFileSync(path), wanted = new Uint8Array(Float64Array.of(marker).buffer);
  const at = bytes.findIndex((_, i) => wanted.every((byte, k) => bytes[i + k] === byte));
  bytes.set(new Uint8Array(Float64Array.of(Infinity).buffer), at);
  Deno.writeFileSync(path, bytes);
  assertEquals(decodeArrow(bytes, { reward: "f64" }, path).columns.reward[3], Infinity);
  await assertRejects(
    () => runStage(stage, directory.file("out"), { inputs: { scored: path, ...START } }),
    ColumnError,
    `${path} (scored@1): column "reward", row 3 must be finite, got Infinity`,
  );
});

Deno.test("rows without a token, or that the policy cannot read, are refused by name", async () => {
  using directory = new TemporaryDirectory();
  const none = new Float32Array(0);
  const empty = {
    ...ROWS[1]!,
    responseIds: new Int32Array(0),
    logprobs: none,
    sftLogprobs: none,
    targetLogprobs: none,
    baseLogprobs: none,
    tokenRewards: none,
  };
  const error = await assertRejects(() => update(directory, START, [ROWS[0]!, empty]), DataError);
  assert(
    /^\S+: a response must have at least one token, got none in "0\/p1\/0"$/.test(error.message),
    error.message,
  );
  const long = { ...ROWS[2]!, promptIds: new Int32Array(64).fill(5) };
  const refused = await assertRejects(() => update(directory, START, [long]), DataError);
  assert(
    /^\S+: a row must have at most 64 tokens \(the model's context of 64\) and ids below 96, got "0\/p2\/0" with \d+ tokens$/
      .test(refused.message),
    refused.message,
  );
});

Deno.test("a state of another model is refused with the missing tensors", async () => {
  using directory = new TemporaryDirectory();
  const [first] = await iterations(directory, 1);
  const state = directory.file("state");
  Deno.mkdirSync(state);
  Deno.copyFileSync(`${SFT}/model.safetensors`, `${state}/optimizer.safetensors`);
  Deno.copyFileSync(`${first!.state}/trainer_state.json`, `${state}/trainer_state.json`);
  const error = await assertRejects(() => update(directory, { ...START, state }, ROWS), DataError);
  assert(
    error.message.startsWith(
      `${state}/optimizer.safetensors: not the optimizer state of this model: ` +
        "policy.exp_avg.model.embed_tokens.weight is missing; ",
    ),
    error.message,
  );
});

Deno.test("a policy without a tokenizer writes no samples", async () => {
  using directory = new TemporaryDirectory();
  const { samples } = await update(directory, START, ROWS);
  assertEquals(readSamples(samples), []);
});
