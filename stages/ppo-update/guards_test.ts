/** The guards of an iteration: log-probabilities of the sampler, early stop, values that are not finite, warnings. @module */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { readTrainerState } from "@/lib/data/contracts/trainer_state.ts";
import { loadModel, writeModel } from "@/lib/model/models/checkpoint.ts";
import { copyTokenizerFiles } from "@/lib/data/contracts/model_directory.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { Network } from "@/lib/model/train/network.ts";
import {
  bytesOf,
  CRITIC,
  type Iteration,
  scoredRollouts,
  SFT,
  update,
} from "@/tests/support/ppo_iterations.ts";
import { withDefaults } from "@/tests/support/ppo_rows.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { withOldLogprobs } from "./old_logprobs.ts";

const START = { policy: SFT, critic: CRITIC };
const ROWS = scoredRollouts(SFT);
const weights = (directory: string) => loadModel(directory).parameters.data;
const next = ({ policy, critic, state }: Iteration) => ({ policy, critic, state });

Deno.test("recomputed log-probabilities: the first ratio is exactly 1, and the sampler's differ by less than 1e-6 (statement 56)", async () => {
  using directory = new TemporaryDirectory();
  const { metrics } = await update(directory, START, ROWS);
  assertEquals(metrics.first_ratio_deviation, 0);
  assert(metrics.logprob_gap! > 0 && metrics.logprob_gap! < 1e-6, `${metrics.logprob_gap}`);
  assert(metrics.logprob_gap_max! >= metrics.logprob_gap!);
  const sampled = await update(directory, START, ROWS, { params: { old_logprobs: "sampled" } });
  assert(sampled.metrics.logprob_gap! > 0 && sampled.metrics.logprob_gap! < 1e-6, "of the first minibatch");
  assert(sampled.metrics.first_ratio_deviation! < 1e-3);
});

Deno.test("rollouts of another policy or temperature are refused, with either kind of old log-probabilities", async () => {
  using directory = new TemporaryDirectory();
  const rows = scoredRollouts(SFT, 0, { temperature: 0.7, scoredAt: 1 });
  for (const old_logprobs of ["recomputed", "sampled"]) {
    const error = await assertRejects(
      () => update(directory, START, rows, { params: { old_logprobs, max_logprob_gap: 0.001 } }),
      DataError,
    );
    assert(
      /^Rollouts were not sampled from this policy: mean \|p − p_sampler\| must be at most 0\.001 \(max_logprob_gap\), got 0\.\d+; the largest is 0\.\d+, in row "0\/p\d+\/0"\. Check that the rollouts were sampled from this policy, and that temperature \(here 1\), top_k and top_p are the same in rollout and ppo-update\. For rollouts from another policy \(quantised, older\), set tis_cap and raise max_logprob_gap$/
        .test(error.message),
      error.message,
    );
  }
  const allowed = await update(directory, START, rows, { params: { max_logprob_gap: null } });
  assert(allowed.metrics.logprob_gap! > 0.001);
  assertEquals(allowed.metrics.first_ratio_deviation, 0, "the ratio is the policy's own all the same");
});

Deno.test("importance weights of 1 change no byte; where the sampler differs by a factor the loss is multiplied by it, up to the cap", async () => {
  using directory = new TemporaryDirectory();
  const { model, parameters } = loadModel(SFT), network = new Network(model, parameters);
  const { rollouts } = await withOldLogprobs(network, ROWS, withDefaults({ max_logprob_gap: null }));
  const rows = ROWS.map((row, i) => ({ ...row, logprobs: rollouts[i]!.oldLogprobs }));
  const run = (given: Record<string, unknown>, by = 0) =>
    update(directory, START, rows.map((row) => ({ ...row, logprobs: row.logprobs.map((x) => x - by) })), {
      params: { max_logprob_gap: null, epochs: 1, minibatch_size: 16, ...given },
    });
  assertEquals(bytesOf(await run({ tis_cap: 2 })), bytesOf(await run({})));
  const norm = async (tis_cap: number | null) => (await run({ tis_cap }, 1)).metrics.policy_grad_norm!;
  const plain = await norm(null);
  assertAlmostEquals(await norm(10) / plain, Math.E, 1e-3);
  assertAlmostEquals(await norm(1.5) / plain, 1.5, 1e-3);
});

Deno.test("target_kl ends the policy's updates of an iteration, not the critic's", async () => {
  using directory = new TemporaryDirectory();
  const params = { lr: 1e-2, epochs: 4 };
  const free = await update(directory, START, ROWS, { params });
  const held = await update(directory, START, ROWS, { params: { ...params, target_kl: 0.01 } });
  assertEquals([free.metrics.policy_updates_made, free.metrics.early_stopped], [8, 0]);
  assertEquals(held.metrics.early_stopped, 1);
  assert(held.metrics.policy_updates_made! >= 1 && held.metrics.policy_updates_made! < 8);
  assertEquals(held.metrics.policy_updates, held.metrics.policy_updates_made);
  assert(held.metrics.approx_kl! <= 0.01 && free.metrics.approx_kl! > 0.01);
  assertEquals(bytesOf(held)[1], bytesOf(free)[1]);
});

Deno.test("an update with a value that is not finite is skipped and counted; one too many is an error that names it (statement 61)", async () => {
  using directory = new TemporaryDirectory();
  // The first update of the critic destroys it: the values of the three others are not finite.
  const run = (max_skipped_updates: number) =>
    update(directory, START, ROWS, { params: { critic_lr: 1e30, max_skipped_updates }, iteration: 7 });
  const { metrics } = await run(3);
  assertEquals([metrics.skipped_updates, metrics.critic_updates, metrics.policy_updates], [3, 1, 4]);
  assert(Object.values(metrics).every(Number.isFinite));
  const error = await assertRejects(() => run(2), DataError);
  assert(
    /^Training diverged: more than 2 updates of an iteration \(max_skipped_updates\) have a non-finite loss or gradient; in iteration 7, minibatch 4, value of the critic is (NaN|-?Infinity) for row "0\/p\d+\/0"$/
      .test(error.message),
    error.message,
  );
});

Deno.test("a gradient that overflows skips its update and leaves the weights", async () => {
  using directory = new TemporaryDirectory();
  const rows = ROWS.map((row, i) => i === 0 ? { ...row, reward: 1e37, rawReward: 1e37 } : row);
  const params = {
    advantage_estimator: "reinforce",
    normalise_reward: false,
    whiten_advantages: false,
    epochs: 1,
  };
  const { policy, metrics } = await update(directory, START, rows, {
    params: { ...params, max_skipped_updates: 1, minibatch_size: 16 },
  });
  assertEquals([metrics.skipped_updates, metrics.policy_updates], [1, 0]);
  assertEquals(weights(policy), weights(SFT));
  const error = await assertRejects(
    () =>
      update(directory, START, rows, { params: { ...params, max_skipped_updates: 0, minibatch_size: 16 } }),
    DataError,
  );
  assert(
    /minibatch 1, the gradient( norm| of [\w.]+) of the policy is -?(Infinity|NaN) for rows "0\/p\d+\/0", "0\/p\d+\/0", "0\/p\d+\/0", and 13 more$/
      .test(error.message),
    error.message,
  );
});

Deno.test("values that are not finite are refused with their row", async () => {
  using directory = new TemporaryDirectory();
  const loaded = loadModel(CRITIC), critic = directory.file("critic");
  loaded.parameters.view("model.norm.weight").fill(3e38);
  Deno.mkdirSync(critic);
  writeModel(critic, loaded);
  copyTokenizerFiles(SFT, critic);
  const error = await assertRejects(() => update(directory, { policy: SFT, critic }, ROWS), DataError);
  assert(
    /^All numbers in values must be finite, got (NaN|-?Infinity) in values of row 0 at token 0, /.test(
      error.message,
    ),
    error.message,
  );
});

Deno.test("a reward that rises while the KL exceeds its band gives a warning that names responses", async () => {
  using directory = new TemporaryDirectory();
  const messages: string[] = [];
  const first = await update(directory, START, ROWS, { params: { lr: 1e-2, epochs: 4 } });
  const fresh = scoredRollouts(first.policy, 1);
  const rows = fresh.map((row) => ({ ...row, reward: row.reward + 9, rawReward: row.rawReward + 9 }));
  const state = readTrainerState(first.state);
  assertEquals(state.firstIteration!.reward, first.metrics.reward);
  const { metrics } = await update(directory, next(first), rows, {
    params: { warn_kl_per_token: 1e-6, kl_stop_per_token: null },
    iteration: 1,
    progress: ({ warning }) => void (warning !== undefined && messages.push(warning)),
  });
  assertEquals(metrics.warnings, 1);
  assert(
    /^the reward rose from [\d.]+ to [\d.]+ while the KL to SFT reached [\d.]+ nats per token; see responses "1\/p\d+\/0" and "1\/p\d+\/0"$/
      .test(messages.join("|")),
    messages.join("|"),
  );
});
