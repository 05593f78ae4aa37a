/** Tests the stage on files: an adapter and a plain model. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";

const ADAPTER = "fixtures/goldens/lora/adapter";
const IDS = Int32Array.from([1, 22, 54, 96, 56, 119, 117, 159]);

function logprobs(directory: string): Float32Array {
  const { model, parameters } = loadModel(directory);
  const sequence = { ids: IDS, targets: targetsFrom(1, IDS.length) };
  return tokenLogprobs(new Network(model, parameters), [sequence])[0]!;
}

Deno.test("a merged adapter is a plain model with the adapter's log-probabilities; other weights are unchanged", async () => {
  using directory = new TemporaryDirectory();
  const { merged } = await runStage(stage, directory.file("out"), { inputs: { model: ADAPTER } });
  assertEquals(Object.keys(digestDirectory(merged!).files), ["config.json", "model.safetensors"]);
  const wanted = logprobs(ADAPTER);
  logprobs(merged!).forEach((x, t) => assertAlmostEquals(x, wanted[t]!, 1e-5, `token ${t}`));
  const base = loadModel("fixtures/goldens/lora/base"), found = loadModel(merged!);
  for (
    const name of ["model.embed_tokens.weight", "model.layers.1.mlp.gate_proj.weight", "model.norm.weight"]
  ) {
    assertEquals(found.parameters.view(name), base.parameters.view(name));
  }
});

Deno.test("a plain model keeps its weights", async () => {
  using directory = new TemporaryDirectory();
  const model = "fixtures/goldens/srppo/sft";
  const { merged } = await runStage(stage, directory.file("out"), { inputs: { model } });
  assertEquals(loadModel(merged!).parameters.data, loadModel(model).parameters.data);
});
