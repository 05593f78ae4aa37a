/** Statements of docs/correctness.md on the stage as a whole that no other test here covers. @module */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { type ScoredRow, writeScored } from "@/lib/data/contracts/scored.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { CRITIC, DIGEST, scoredRollouts, SETTINGS, SFT, update } from "@/tests/support/ppo_iterations.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { resolvedParams } from "./presets.ts";

const START = { policy: SFT, critic: CRITIC };
const ROWS = scoredRollouts(SFT);
const STORIES = "fixtures/stories260k";

Deno.test("losses, entropy, clip fractions, KL, norms and explained variance are written (statement 12)", async () => {
  using directory = new TemporaryDirectory();
  const { metrics } = await update(directory, START, ROWS, { params: { clip_range_value: 0.2 } });
  const names =
    "policy_loss value_loss entropy clip_fraction value_clip_fraction approx_kl approx_kl_k1 kl_to_sft " +
    "policy_grad_norm critic_grad_norm explained_variance first_ratio_deviation";
  for (const name of names.split(" ")) assert(Number.isFinite(metrics[name]), `${name}: ${metrics[name]}`);
  assert(metrics.explained_variance! <= 1 && metrics.value_loss! > 0 && metrics.approx_kl! >= 0);
});

Deno.test("policy and critic share no weight: each moves by its own learning rate alone (statement 13)", async () => {
  using directory = new TemporaryDirectory();
  const run = (params: Record<string, unknown>) => update(directory, START, ROWS, { params });
  const weights = (path: string) => loadModel(path).parameters.data;
  const still = await run({ lr: 0 }), moving = await run({});
  assertEquals(weights(still.policy), weights(SFT));
  assertEquals(weights(still.critic), weights(moving.critic));
  assertNotEquals(weights(moving.critic), weights(CRITIC));
  const alone = await run({ critic_lr: 0 });
  assertEquals(weights(alone.critic), weights(CRITIC));
  assertEquals(weights(alone.policy), weights(moving.policy));
});

Deno.test("defaults are those of the recipes in docs/correctness.md (statements 26, 29, 32, 40 and 44)", () => {
  const { gamma, lambda, epochs, clip_range, clip_range_value, beta, kl_reference, minibatch_size } =
    resolvedParams(stage.params.parse({}));
  assertEquals({ gamma, lambda, epochs, clip_range, clip_range_value, beta, kl_reference, minibatch_size }, {
    gamma: 1,
    lambda: 0.95,
    epochs: 4,
    clip_range: 0.2,
    clip_range_value: 0.2,
    beta: 0.05,
    kl_reference: "sft",
    minibatch_size: 32,
  });
});

Deno.test("every parameter has the source of its default (statement 32)", () => {
  for (const [name, schema] of Object.entries(stage.params.shape)) {
    const { description, source } = schema.meta() ?? {};
    assert(description !== undefined && typeof source === "string", name);
  }
});

/** A row of stories260k with the log-probabilities that its policy has for exactly these ids. */
function storiesRow(id: string, promptIds: Int32Array, responseIds: Int32Array, reward: number): ScoredRow {
  const { model, parameters } = loadModel(STORIES), ids = [...promptIds, ...responseIds];
  const sequence = { ids, targets: targetsFrom(promptIds.length, ids.length) };
  const logprobs = tokenLogprobs(new Network(model, parameters), [sequence])[0]!;
  return {
    ...ROWS[0]!,
    id,
    promptIds,
    responseIds,
    logprobs,
    sftLogprobs: logprobs,
    targetLogprobs: logprobs,
    baseLogprobs: logprobs,
    tokenRewards: new Float32Array(responseIds.length).fill(reward / responseIds.length),
    rawReward: reward,
    reward,
    finishReason: "length",
  };
}

Deno.test("an update uses the sampled ids, also where the tokenizer would encode their text otherwise (statement 50)", async () => {
  using directory = new TemporaryDirectory();
  const tokenizer = loadTokenizer(STORIES);
  const promptIds = await tokenizer.encode("Once upon a time");
  // Letter by letter: no tokenizer would write the word so.
  const odd = Int32Array.from([..."there"], (letter) => tokenizer.idOf(letter)!), even = odd.toReversed();
  assertEquals(tokenizer.decode(odd), "there");
  assertEquals((await tokenizer.encode("there", { special: false })).length, 1);
  const rows = [storiesRow("odd", promptIds, odd, 1), storiesRow("even", promptIds, even, -1)];
  const scored = directory.file("scored.arrow");
  await writeScored(scored, { rows, tokenizerDigest: tokenizerDigest(STORIES) });
  const { metrics } = await runStage(stage, directory.file("out"), {
    inputs: { scored, policy: STORIES, critic: STORIES },
    params: { ...SETTINGS, lr: 0 },
  });
  const found = Object.fromEntries(readMetrics(metrics!).map(({ name, value }) => [name, value]));
  assertEquals(found.response_length, odd.length);
  assert(found.first_ratio_deviation! < 1e-3, `${found.first_ratio_deviation}`);
});

Deno.test("an iteration whose values are not finite ends with an error that names the minibatch (statement 61)", async () => {
  using directory = new TemporaryDirectory();
  const error = await assertRejects(
    () =>
      update(directory, START, ROWS, { params: { critic_lr: 1e30, max_skipped_updates: 0 }, iteration: 7 }),
    DataError,
  );
  assert(
    /^Training diverged: .* in iteration 7, minibatch 2, value of the critic is (NaN|-?Infinity) for row "0\/p\d+\/0"$/
      .test(error.message),
    error.message,
  );
});

Deno.test("scored rows, policy and critic of different tokenizers are refused by name (statement 70)", async () => {
  using directory = new TemporaryDirectory();
  const scored = directory.file("scored.arrow"), other = "cd".repeat(32);
  const run = async (digest: string, critic: string) => {
    await writeScored(scored, { rows: ROWS, tokenizerDigest: digest });
    return await runStage(stage, directory.file("out"), { inputs: { scored, policy: SFT, critic } });
  };
  const [own, stories] = [DIGEST, tokenizerDigest(STORIES)].map((digest) => digest.slice(0, 12));
  const refusal = "scored, policy and critic must have the same tokenizer, got ";
  const wrongRows = await assertRejects(() => run(other, CRITIC), DataError);
  assertEquals(wrongRows.message, `${refusal}cdcdcdcdcdcd (scored), ${own} (policy), ${own} (critic)`);
  const wrongCritic = await assertRejects(() => run(DIGEST, STORIES), DataError);
  assertEquals(wrongCritic.message, `${refusal}${own} (scored), ${stories} (critic)`);
});
