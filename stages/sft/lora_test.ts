/** Tests the stage with adapters: training, output, and training an adapter again. @module */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { type MetricRow, readMetrics } from "@/lib/data/contracts/metrics.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { digestDirectory, digestFile } from "@/lib/data/files/digest.ts";
import { openSafetensors } from "@/lib/data/files/safetensors.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { DataError, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { runStage, type StageRun } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";

/** 96 ids, a context of 64 tokens, two blocks. */
const MODEL = "fixtures/goldens/srppo/base";
const LORA = { lora_rank: 4, lora_alpha: 8, max_updates: 6, batch_size: 8, lr: 2e-2 };

/** Rows that count upwards: easy to learn. */
async function tokensIn(directory: TemporaryDirectory): Promise<string> {
  const path = directory.file("tokens.arrow");
  const rows = Array.from({ length: 16 }, (_, i) => {
    const inputIds = Int32Array.from(
      { length: 6 + i * 5 % 11 },
      (_, t) => t === 0 ? 1 : 3 + (i * 7 + t) % 90,
    );
    return { id: `d${i}`, inputIds, lossMask: new Uint8Array(inputIds.length).fill(1), source: "d.jsonl" };
  });
  await writeTokens(path, { rows, tokenizerDigest: tokenizerDigest(MODEL) });
  return path;
}

async function run(directory: TemporaryDirectory, home: string, given: Partial<StageRun> = {}) {
  const { params = {}, inputs = {}, ...rest } = given;
  return await runStage(stage, directory.file(home), {
    inputs: { tokens: await tokensIn(directory), model: MODEL, ...inputs },
    params: { ...LORA, ...params },
    seed: 4,
    ...rest,
  });
}

const lossesOf = (rows: readonly MetricRow[]) =>
  rows.filter(({ name }) => name === "loss").map(({ value }) => value);

Deno.test("an adapter is trained: PEFT's files, with the base unchanged", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await run(directory, "out");
  const losses = lossesOf(readMetrics(outputs.metrics!));
  assert(losses.at(-1)! < losses[0]! - 0.2, `losses ${losses}`);
  const policy = outputs.policy!;
  assertEquals(Object.keys(digestDirectory(policy).files), [
    "adapter_config.json",
    "adapter_model.safetensors",
    "base/config.json",
    "base/model.safetensors",
    "config.json",
    ...Object.keys(digestDirectory(MODEL).files).filter((name) => name === "generation_config.json"),
  ]);
  assertEquals(digestFile(`${policy}/base/model.safetensors`), digestFile(`${MODEL}/model.safetensors`));
  const { model, parameters } = loadModel(policy);
  assertEquals(model.adapter!.maps.length, 14);
  assert(parameters.specs.every(({ name }) => parameters.view(name).some((x) => x !== 0)));
  assertEquals(tokenizerDigest(policy), tokenizerDigest(MODEL));
});

Deno.test("targets, scale and seed are those of the parameters", async () => {
  using directory = new TemporaryDirectory();
  const params = { lora_target_modules: ["q_proj", "down_proj"], use_rslora: true, max_updates: 1 };
  const first = loadModel((await run(directory, "a", { params })).policy!);
  const { maps } = first.model.adapter!;
  assertEquals([...new Set(maps.map(({ local }) => local))], ["q", "down"]);
  assertEquals(new Set(maps.map(({ scale }) => scale)), new Set([8 / 2]));
  const other = loadModel((await run(directory, "b", { params, seed: 5 })).policy!);
  assertNotEquals(first.parameters.data, other.parameters.data);
});

Deno.test("an adapter is trained as an adapter, also from an intermediate checkpoint", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await run(directory, "out", { params: { checkpoint_every: 3 } });
  const middle = `${outputs.checkpoints}/000003`;
  assertEquals(digestDirectory(`${outputs.checkpoints}/000006`), digestDirectory(outputs.policy!));
  const on = await run(directory, "on", { inputs: { model: middle }, params: { lora_rank: 0 } });
  const before = loadModel(middle), after = loadModel(on.policy!);
  assertEquals(after.model.adapter!.maps, before.model.adapter!.maps);
  assertNotEquals(after.parameters.data, before.parameters.data);
  assert(after.parameters.backbone === before.parameters.backbone);
  const { message } = await assertRejects(
    () => run(directory, "twice", { inputs: { model: middle } }),
    DataError,
  );
  assertEquals(
    message,
    `lora_rank must be 0 to train the adapter ${middle}, got 4: a model can have one adapter only`,
  );
});

Deno.test("interrupted and resumed, an adapter has the bytes of an uninterrupted run; only its own moments are saved", async () => {
  using directory = new TemporaryDirectory();
  const whole = await run(directory, "whole"), scratch = directory.file("scratch");
  Deno.mkdirSync(scratch);
  await assertRejects(() => run(directory, "parts", { scratch, stopAfter: 2 }), TryAgainError);
  using saved = openSafetensors(`${scratch}/training/vectors.safetensors`);
  const { specs } = loadModel(whole.policy!).parameters;
  const wanted = specs.flatMap(({ name }) =>
    ["weights", "exp_avg", "exp_avg_sq"].map((of) => `${of}.${name}`)
  );
  assertEquals([...saved.names].sort(), wanted.sort(), "moments of the adapter alone");
  const parts = await run(directory, "parts", { scratch });
  assertEquals(digestDirectory(parts.policy!).digest, digestDirectory(whole.policy!).digest);
});

Deno.test("a target that names no linear map is an error before training", async () => {
  using directory = new TemporaryDirectory();
  const { message } = await assertRejects(
    () => run(directory, "out", { params: { lora_target_modules: ["q_proj", "c_attn"] } }),
    DataError,
  );
  assertEquals(
    message,
    "lora_target_modules: target_modules must be among q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, " +
      "down_proj, got c_attn",
  );
});
