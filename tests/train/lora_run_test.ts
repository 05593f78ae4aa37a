/**
 * A whole run with adapters, stage by stage: sft and reward members as adapters on one base, iterations of PPO that train
 * the adapter, and an evaluation of all models.
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { readEvals } from "@/lib/data/contracts/evals.ts";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import { readScored } from "@/lib/data/contracts/scored.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { digestDirectory, digestFile } from "@/lib/data/files/digest.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { frozenNetwork } from "@/lib/model/reward/frozen_networks.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { stage as buildReward } from "@/stages/build-reward/main.ts";
import { stage as evaluation } from "@/stages/eval/main.ts";
import { stage as ppoUpdate } from "@/stages/ppo-update/main.ts";
import { stage as rollout } from "@/stages/rollout/main.ts";
import { stage as score } from "@/stages/score/main.ts";
import { stage as sft } from "@/stages/sft/main.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const BASE = "fixtures/stories260k";
const TEXTS = [
  "Tim saw a big dog. He was happy.",
  "Lily had a red ball.",
  "One day the sun was hot.",
  "A cat sat.",
];

Deno.test("sft, build-reward, rollout, score, ppo-update and eval accept adapters, and all share one base", async () => {
  using directory = new TemporaryDirectory();
  const digest = tokenizerDigest(BASE), tokenizer = loadTokenizer(BASE), eos = 2;
  const encoded = await tokenizer.encodeAll(TEXTS);
  const tokens = directory.file("tokens.arrow"), prompts = directory.file("prompts.arrow");
  await writeTokens(tokens, {
    rows: encoded.map((ids, i) => ({
      id: `d${i}`,
      inputIds: Int32Array.from([...ids, eos]),
      lossMask: new Uint8Array(ids.length + 1).fill(1),
      source: "d.jsonl",
    })),
    tokenizerDigest: digest,
  });
  await writePrompts(prompts, {
    rows: encoded.map((ids, i) => ({ id: `p${i}`, promptIds: ids.slice(0, 4), meta: "{}" })),
    tokenizerDigest: digest,
  });
  const lora = { lora_rank: 4, max_updates: 4, batch_size: 4, lr: 1e-2, warmup_ratio: 0 };
  const fit = async (home: string, seed: number) =>
    (await runStage(sft, directory.file(home), { inputs: { tokens, model: BASE }, params: lora, seed }))
      .policy!;
  const policy = await fit("sft", 1), members = [await fit("a", 2), await fit("b", 3)];
  const { reward } = await runStage(buildReward, directory.file("reward"), {
    inputs: { members, base: BASE, sft: policy },
    params: { export_onnx: true },
  });
  const loaded = [BASE, policy, ...members].map((path) => frozenNetwork(path).parameters);
  for (const { backbone } of loaded.slice(1)) assert(backbone === loaded[0], "one backbone in memory");

  let critic = policy, now = policy, state: string | undefined;
  for (let iteration = 0; iteration < 2; iteration++) {
    const home = (name: string) => directory.file(`${name}${iteration}`);
    const { rollouts } = await runStage(rollout, home("rollout"), {
      inputs: { prompts, policy: now },
      params: { prompts_per_iteration: 4, samples_per_prompt: 2, max_new_tokens: 8 },
      iteration,
    });
    const { scored } = await runStage(score, home("score"), {
      inputs: { rollouts: rollouts!, reward: reward!, sft: policy },
    });
    if (iteration === 0) {
      for (const row of readScored(scored!).rows) { // sampled with the merged adapter, scored with the separate one
        row.logprobs.forEach((x, t) => assertAlmostEquals(x, row.sftLogprobs[t]!, 1e-4, `${row.id}, ${t}`));
      }
    }
    const update = await runStage(ppoUpdate, home("update"), {
      inputs: { scored: scored!, policy: now, critic, tokens, ...(state === undefined ? {} : { state }) },
      params: {
        minibatch_size: 4,
        lr: 1e-2,
        critic_warmup_iterations: 0,
        lr_warmup_iterations: 0,
        kl_stop_per_token: null,
        demo_mix: 0.1,
        ema_decay: 0.5,
      },
      iteration,
    });
    const metrics = Object.fromEntries(readMetrics(update.metrics!).map(({ name, value }) => [name, value]));
    assert(metrics.first_ratio_deviation! < 1e-3 && metrics.policy_grad_norm! > 0, JSON.stringify(metrics));
    const before = loadModel(now).parameters, after = loadModel(update.policy!).parameters;
    assert(after.data.some((x, i) => x !== before.data[i]), "the adapter changed");
    assert(after.backbone === before.backbone, "on the same backbone");
    const average = loadModel(update.ema!).parameters;
    assert(average.backbone === before.backbone && average.data.length === after.data.length);
    assert(average.data.some((x, i) => x !== after.data[i] && x !== before.data[i]), "between the two");
    assertEquals(loadModel(update.critic!).model.headKind, "score");
    ({ policy: now, critic, state } = update as { policy: string; critic: string; state: string });
  }
  assertEquals(digestFile(`${now}/base/model.safetensors`), digestFile(`${BASE}/model.safetensors`));
  assertEquals(tokenizerDigest(now), digest);

  const { evals } = await runStage(evaluation, directory.file("eval"), {
    inputs: {
      models: { base: BASE, sft: policy, srppo: now },
      prompts,
      reward: reward!,
      base: BASE,
      sft: policy,
    },
    params: { max_new_tokens: 8, modes: ["greedy"] },
  });
  const rows = readEvals(evals!);
  assertEquals(new Set(rows.map(({ model }) => model)), new Set(["base", "sft", "srppo"]));
  // Base and members share the graph's backbone: the graph is little larger than the base.
  const { size } = digestDirectory(reward!).files["reward.onnx"]!;
  assert(size < 1.6 * Deno.statSync(`${BASE}/model.safetensors`).size, `${size} bytes`);
});
