import { assert, assertEquals, assertRejects } from "@std/assert";
import * as fc from "fast-check";
import { join } from "node:path";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type TokenRow, writeTokens } from "@/lib/data/contracts/tokens.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { packed } from "./pack.ts";
import { params } from "./params.ts";

const row = (ids: readonly number[], k: number): TokenRow => ({
  id: `d${k}`,
  inputIds: Int32Array.from(ids),
  lossMask: Uint8Array.from(ids, (id) => id % 2),
  source: "test",
});

Deno.test("packed() keeps every token and its mask in order; only the last block is shorter", () => {
  const documents = fc.array(fc.array(fc.nat(90), { minLength: 1, maxLength: 20 }), {
    minLength: 1,
    maxLength: 9,
  });
  fc.assert(
    fc.property(documents, fc.integer({ min: 2, max: 17 }), (texts, length) => {
      const blocks = packed(texts.map(row), length), all = texts.flat();
      const kept = all.length % length === 1 ? all.slice(0, -1) : all;
      assertEquals(blocks.flatMap(({ inputIds }) => [...inputIds]), kept);
      assertEquals(blocks.flatMap(({ lossMask }) => [...lossMask]), kept.map((id) => id % 2));
      assert(blocks.slice(0, -1).every(({ inputIds }) => inputIds.length === length));
    }),
    { seed: 11 },
  );
});

Deno.test("a config.json without weights is pretrained on packed rows: the loss decreases, and the bytes follow from the seed", async () => {
  using directory = new TemporaryDirectory();
  const base = "fixtures/goldens/srppo/base", model = directory.file("model");
  Deno.mkdirSync(model);
  Deno.copyFileSync(join(base, "config.json"), join(model, "config.json"));
  const tokens = directory.file("tokens.arrow");
  // Documents of many lengths, one of them longer than the context of 64 tokens.
  const texts = [5, 9, 130, 17, 30].map((length, k) => [
    1,
    ...Array.from({ length }, (_, t) => 3 + (k + t) % 20),
    2,
  ]);
  await writeTokens(tokens, { rows: texts.map(row), tokenizerDigest: tokenizerDigest(model) });
  const pretrain = async (home: string, seed: number, params = {}) =>
    await runStage(stage, directory.file(home), {
      inputs: { tokens, model },
      params: { loss: "all", pack: true, max_updates: 12, batch_size: 4, lr: 1e-2, ...params },
      seed,
    });
  const [first, second, other] = [await pretrain("a", 1), await pretrain("b", 1), await pretrain("c", 2)];
  const losses = readMetrics(first.metrics!).filter(({ name }) => name === "loss").map(({ value }) => value);
  assert(Math.abs(losses[0]! - Math.log(96)) < 0.1, `starts at the loss of a uniform guess: ${losses[0]}`);
  assert(losses.at(-1)! < 0.8 * losses[0]!, `falls: ${losses}`);
  const digests = [first, second, other].map(({ policy }) => digestDirectory(policy!).digest);
  assertEquals([digests[0] === digests[1], digests[0] === digests[2]], [true, false]);
  const error = await assertRejects(() => pretrain("d", 1, { loss: "response", pack: false }), DataError);
  assertEquals(
    error.message,
    `${model} must hold model.safetensors or model.safetensors.index.json, got neither`,
  );
});

Deno.test("pack is refused unless loss is all: responses would be trained on with other documents in their context", () => {
  const problems = (given: Record<string, unknown>) =>
    params.safeParse(given).error?.issues.map(({ path, message }) => `${path.join(".")} ${message}`) ?? [];
  assertEquals(problems({ pack: true }), [
    "pack must be false with loss=response: the documents of a block attend to each other, which is for pretraining (loss=all)",
  ]);
  assertEquals(problems({ pack: true, loss: "all" }), []);
});
