/** Exact rollouts through the stages: the first ratio of PPO is exactly 1 with the sampled log-probabilities. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type PromptRow, writePrompts } from "@/lib/data/contracts/prompts.ts";
import { readRollouts, type RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { digestFile } from "@/lib/data/files/digest.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { stage as rollout } from "@/stages/rollout/main.ts";
import { stage as sft } from "@/stages/sft/main.ts";
import { CRITIC, DIGEST, SFT, update } from "@/tests/support/ppo_iterations.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const PROMPTS = Array.from({ length: 24 }, (_, i): PromptRow => ({
  id: `p${i}`,
  promptIds: Int32Array.from({ length: 2 + i % 9 }, (_, t) => t === 0 ? 1 : 3 + (i * 31 + t * 17) % 90),
  meta: "{}",
}));

async function rollouts(directory: TemporaryDirectory, params: object, policy = SFT): Promise<string> {
  const prompts = directory.file("prompts.arrow");
  await writePrompts(prompts, { rows: PROMPTS, tokenizerDigest: DIGEST });
  const outputs = await runStage(rollout, directory.file(crypto.randomUUID()), {
    inputs: { prompts, policy },
    params: { prompts_per_iteration: 0, samples_per_prompt: 4, max_new_tokens: 40, ...params },
  });
  return outputs.rollouts!;
}

/** Returns rows with any reward: the first ratio does not depend on it. */
function scored(rows: readonly RolloutRow[], temperature: number): ScoredRow[] {
  return rows.map((row, i) => {
    const { logprobs } = row, tokenRewards = logprobs.map((_, t) => t === 0 ? i % 3 : 0);
    const lists = { sftLogprobs: logprobs, targetLogprobs: logprobs, baseLogprobs: logprobs, tokenRewards };
    const tempered = { temperature, sftLogprobsTempered: logprobs, baseLogprobsTempered: logprobs };
    const reward = { rawReward: i % 3, reward: i % 3, baseNll: null };
    return { ...row, ...lists, ...reward, ...temperature === 1 ? {} : tempered };
  });
}

async function firstRatio(
  directory: TemporaryDirectory,
  path: string,
  policy: string,
  given: { readonly temperature?: number; readonly [name: string]: unknown } = {},
) {
  const rows = scored(readRollouts(path).rows, given.temperature ?? 1);
  const params = { old_logprobs: "sampled", minibatch_size: 96, epochs: 1, ...given };
  const { metrics } = await update(directory, { policy, critic: CRITIC }, rows, { params });
  return metrics.first_ratio_deviation;
}

Deno.test("with exact rollouts the first minibatch's ratio is exactly 1; with plain ones it is nearly", async () => {
  using directory = new TemporaryDirectory();
  for (const temperature of [1, 0.8]) {
    const [exact, plain] = [true, false].map((exact) => rollouts(directory, { exact, temperature }));
    assertEquals(await firstRatio(directory, await exact!, SFT, { temperature }), 0);
    assertEquals(await firstRatio(directory, await exact!, SFT, { temperature, kl_placement: "loss" }), 0);
    const deviation = await firstRatio(directory, await plain!, SFT, { temperature });
    assert(deviation! > 0 && deviation! < 1e-4, `plain rollouts deviate by ${deviation}`);
  }
});

Deno.test("exact rollouts of an adapter use the separate adapter as in training, not the merged weights", async () => {
  using directory = new TemporaryDirectory();
  const tokens = directory.file("tokens.arrow");
  const rows = PROMPTS.map(({ id, promptIds }) => ({
    id,
    inputIds: Int32Array.from([...promptIds, 5, 6, 7, 2]),
    lossMask: Uint8Array.from([...promptIds.map(() => 0), 1, 1, 1, 1]),
    source: "",
  }));
  await writeTokens(tokens, { rows, tokenizerDigest: DIGEST });
  const { policy } = await runStage(sft, directory.file("sft"), {
    inputs: { tokens, model: SFT },
    params: { lora_rank: 4, max_updates: 4, lr: 1e-2 },
  });
  assertEquals(await firstRatio(directory, await rollouts(directory, { exact: true }, policy!), policy!), 0);
});

Deno.test("exact rollouts have the responses of plain ones, and equal bytes in any batch", async () => {
  using directory = new TemporaryDirectory();
  const plain = readRollouts(await rollouts(directory, {})).rows, files = [];
  for (const batch_size of [3, 64]) files.push(await rollouts(directory, { exact: true, batch_size }));
  assertEquals(digestFile(files[0]!), digestFile(files[1]!));
  const exact = readRollouts(files[0]!).rows;
  assertEquals(exact.map(({ responseIds }) => responseIds), plain.map(({ responseIds }) => responseIds));
});

Deno.test("exact=true is an error with top-k", async () => {
  using directory = new TemporaryDirectory();
  const error = await assertRejects(() => rollouts(directory, { exact: true, top_k: 4 }), UsageError);
  assertEquals(
    error.message,
    "exact=true requires top_k=0 and top_p=1, got top_k=4 and top_p=1",
  );
});
