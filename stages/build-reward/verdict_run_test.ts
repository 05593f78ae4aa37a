/** Tests base_weight and held-out demonstrations on files. @module */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { readReward } from "@/lib/data/contracts/reward_directory.ts";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { RewardModel } from "@/lib/model/reward/reward_model.ts";
import { runSync } from "@/lib/model/train/event_loop.ts";
import { metricsOf, promptsIn, reportOf, runStage, SMALL } from "@/tests/support/build_reward_runs.ts";
import { BASE, writeRelative } from "@/tests/support/relatives.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const ROLLOUT: RolloutRow = {
  id: "r",
  promptId: "p",
  sample: 0,
  promptIds: Int32Array.of(1, 300, 301),
  responseIds: Int32Array.of(400, 410, 420, 2),
  logprobs: new Float32Array(4),
  logprobsT1: null,
  finishReason: "eos",
  meta: "{}",
};

Deno.test("base_weight is in reward.json, auto is 1 − the share of equal SFT responses, and the check is that of the ratio", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, sft = writeRelative(dir, "sft", 0.02), prompts = await promptsIn(dir);
  const inputs = { members: [sft], sft, prompts };
  await runStage(dir, inputs, { base_weight: 0 });
  const none = readReward(join(dir, "reward"));
  assertEquals(none.baseWeight, 0);
  assert(none.calibration.sft_reward_mean! < 0, "log-probabilities are at most 0");
  const model = new RewardModel(join(dir, "reward"));
  const [scored] = runSync(model.score([ROLLOUT], { sft: { path: sft }, bosId: 1 }));
  scored!.tokenRewards.forEach((r, t) => assertAlmostEquals(r, scored!.sftLogprobs[t]!, 1e-6));
  // Responses of one token repeat themselves.
  await runStage(dir, inputs, { base_weight: "auto", max_new_tokens: 1 });
  const { repeat_share: repeats, base_weight: weight } = metricsOf(dir);
  assert(repeats! > 0 && repeats! < 1, `${repeats}`);
  assertAlmostEquals(weight!, 1 - repeats!, 1e-12);
  assertEquals(readReward(join(dir, "reward")).baseWeight, weight);
  await assertRejects(
    () => runStage(dir, inputs, { base_weight: "auto", samples_per_prompt: 1 }),
    UsageError,
    "Invalid parameters and inputs: base_weight=auto requires samples_per_prompt of at least 2, got 1",
  );
});

Deno.test("held-out demonstrations are compared with SFT responses by the members that have not seen them", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, sft = writeRelative(dir, "sft", 0.02), prompts = await promptsIn(dir);
  const members = ["a", "b"].map((name) => writeRelative(dir, name, 0.01));
  const tokenizer = loadTokenizer(BASE), digest = tokenizerDigest(BASE);
  const promptIds = await tokenizer.encode("One day"), response = await tokenizer.encode(" she was sad.");
  const row = (id: string) => ({
    id,
    inputIds: Int32Array.from([...promptIds, ...response.slice(1), 2]),
    lossMask: Uint8Array.from([...promptIds.map(() => 0), ...response.slice(1).map(() => 1), 1]),
    source: "test",
  });
  const files = await Promise.all(["d0", "d1"].map(async (id) => {
    const path = directory.file(`${id}.arrow`);
    await writeTokens(path, { rows: [row(id)], tokenizerDigest: digest });
    return path;
  }));
  await runStage(dir, { members, sft, prompts, held_out: files });
  const found = metricsOf(dir), { preference } = reportOf(dir);
  assertEquals(preference!.demonstrations, 2);
  assertEquals(preference!.samples_per_prompt, SMALL.preflight_samples);
  assert(found.preference! >= 0 && found.preference! <= 1 && Number.isFinite(found.best_of_4_loglik));
  await assertRejects(
    () => runStage(dir, { members, sft, prompts, held_out: [files[0]!, files[1]!, files[0]!] }),
    UsageError,
    "Invalid parameters and inputs: held_out must be one file, or one for each of the 2 members in their order, got 3",
  );
});
