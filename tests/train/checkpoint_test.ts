/** Reading and writing model directories: equal bits, critics, and errors that list every offender. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { openSafetensors, writeSafetensors } from "@/lib/data/files/safetensors.ts";
import { criticFrom, loadModel, writeModel } from "@/lib/model/models/checkpoint.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { f32, type HostTensor } from "@/lib/compute/tensor/tensor.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs, tokenValues } from "@/lib/model/train/token_logprobs.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const FAMILIES = "fixtures/goldens/families";
const SEQUENCES = [{ ids: [5, 17, 3, 80, 42, 9], targets: [1, 2, 3, 4, 5] }, {
  ids: [1, 2, 3],
  targets: [2],
}];

/** Returns a copy of a model directory with changed tensors. */
function changed(from: string, change: (tensors: Map<string, HostTensor>) => void): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  Deno.copyFileSync(join(from, "config.json"), directory.file("config.json"));
  using file = openSafetensors(join(from, "model.safetensors"));
  const tensors = new Map(file.names.map((name) => [name, file.read(name)]));
  change(tensors);
  writeSafetensors(
    directory.file("model.safetensors"),
    [...tensors].map(([name, tensor]) => ({ name, tensor })),
  );
  return directory;
}

function refusal(directory: string, problems: string): string {
  return `${directory}: weights do not match config.json: ${problems}`;
}

for (const name of ["llama", "llama3_rope", "llama_bf16", "llama_f16", "llama_sharded"]) {
  Deno.test(`${name}, written and read again, has equal weights, config and log-probabilities`, () => {
    const loaded = loadModel(`${FAMILIES}/${name}`);
    using first = new TemporaryDirectory(), second = new TemporaryDirectory();
    writeModel(first.path, loaded);
    const again = loadModel(first.path);
    assertEquals(again.parameters.data, loaded.parameters.data);
    assertEquals(again.parameters.specs, loaded.parameters.specs);
    const { torch_dtype: _, dtype: __, ...config } = loaded.model.config;
    assertEquals(again.model.config, { ...config, dtype: "float32", torch_dtype: "float32" });
    assertEquals(
      tokenLogprobs(new Network(again.model, again.parameters), SEQUENCES),
      tokenLogprobs(new Network(loaded.model, loaded.parameters), SEQUENCES),
    );
    writeModel(second.path, again);
    for (const file of ["config.json", "model.safetensors"]) {
      assertEquals(Deno.readFileSync(second.file(file)), Deno.readFileSync(first.file(file)), file);
    }
  });
}

Deno.test("a critic initialised from a language model has its trunk, values of zero and a copy of the weights, and is read as written", () => {
  const causal = loadModel(`${FAMILIES}/llama`), critic = criticFrom(causal);
  assertEquals(critic.model.headKind, "score");
  assertEquals(critic.model.config.architectures, ["LlamaForSequenceClassification"]);
  assertEquals(critic.model.config.num_labels, 1);
  assertEquals(critic.parameters.view("model.norm.weight"), causal.parameters.view("model.norm.weight"));
  const values = tokenValues(new Network(critic.model, critic.parameters), SEQUENCES);
  assertEquals(values.map((row) => [...row]), [[0, 0, 0, 0, 0], [0]]);

  critic.parameters.view("score.weight").fill(0.25);
  critic.parameters.view("model.norm.weight")[0] = 7;
  assert(causal.parameters.view("model.norm.weight")[0] !== 7);
  using directory = new TemporaryDirectory();
  writeModel(directory.path, critic);
  const again = loadModel(directory.path);
  assertEquals(again.model.headKind, "score");
  assertEquals(again.parameters.data, critic.parameters.data);
  const [first] = tokenValues(new Network(again.model, again.parameters), SEQUENCES);
  assert(first!.every((value) => value !== 0));
});

Deno.test("every tensor that is missing, unknown or of another shape is listed", () => {
  using directory = changed(`${FAMILIES}/llama`, (tensors) => {
    tensors.delete("model.norm.weight");
    tensors.delete("model.layers.1.mlp.up_proj.weight");
    tensors.set("model.layers.0.input_layernorm.weight", f32([3], [1, 2, 3]));
    tensors.set("model.layers.7.mlp.up_proj.weight", f32([1], [0]));
    tensors.set("adapter", f32([1], [0]));
  });
  const { model } = loadModel(`${FAMILIES}/llama`);
  assertThrows(
    () => loadModel(directory.path),
    DataError,
    refusal(
      directory.path,
      `model.layers.0.input_layernorm.weight must have shape [${model.hiddenSize}], got [3]; ` +
        "model.layers.1.mlp.up_proj.weight is missing; model.norm.weight is missing; " +
        "adapter of model.safetensors is not a parameter of the model; " +
        "model.layers.7.mlp.up_proj.weight of model.safetensors is not a parameter of the model",
    ),
  );
});

Deno.test("a long list of offenders is shortened, with the number of the others", () => {
  using directory = changed(`${FAMILIES}/llama`, (tensors) => tensors.clear());
  const count = loadModel(`${FAMILIES}/llama`).parameters.specs.length;
  const { message } = assertThrows(() => loadModel(directory.path), DataError);
  assertEquals(message.split("; ").length, 11);
  assert(message.endsWith(` is missing; and ${count - 10} more`), message);
});

Deno.test("a weight that is NaN is rejected with its position", () => {
  using directory = changed(`${FAMILIES}/llama`, (tensors) => {
    (tensors.get("model.norm.weight")!.data as Float32Array)[2] = NaN;
  });
  const path = directory.file("model.safetensors");
  assertThrows(
    () => loadModel(directory.path),
    DataError,
    `${path}: weights must be finite, but element 2 of model.norm.weight is NaN`,
  );
});

Deno.test("tensors without effect are ignored: rotary frequencies, and the head of a tied model", () => {
  const source = `${FAMILIES}/llama`, loaded = loadModel(source);
  assertEquals(loaded.model.config.tie_word_embeddings, true);
  using directory = changed(source, (tensors) => {
    tensors.set("model.layers.0.self_attn.rotary_emb.inv_freq", f32([1], [1]));
    tensors.set("lm_head.weight", tensors.get("model.embed_tokens.weight")!);
  });
  assertEquals(loadModel(directory.path).parameters.data, loaded.parameters.data);
});
