/** Variants of checkpoints: the trunk alone, with buffers, with a tied head stored; and critics of every family. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { openSafetensors, writeSafetensors } from "@/lib/data/files/safetensors.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { f32, type HostTensor } from "@/lib/compute/tensor/tensor.ts";
import { FAMILY_GOLDENS, GOLDEN_FOLDER } from "@/tests/support/golden_families.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { criticFrom, loadModel, writeModel } from "./checkpoint.ts";
import { FAMILIES } from "./families.ts";

/** Returns a copy of a family's checkpoint with other tensors. */
function changed(
  family: string,
  change: (tensors: ReadonlyMap<string, HostTensor>) => Map<string, HostTensor>,
): TemporaryDirectory {
  const directory = new TemporaryDirectory(), from = join(GOLDEN_FOLDER, family);
  Deno.copyFileSync(join(from, "config.json"), directory.file("config.json"));
  using file = openSafetensors(join(from, "model.safetensors"));
  const tensors = change(new Map(file.names.map((name) => [name, file.read(name)])));
  const path = directory.file("model.safetensors");
  writeSafetensors(path, [...tensors].map(([name, tensor]) => ({ name, tensor })));
  return directory;
}

/** Every tensor with its name changed. */
function renamed(tensors: ReadonlyMap<string, HostTensor>, name: (name: string) => string) {
  return new Map([...tensors].map(([key, tensor]) => [name(key), tensor]));
}

for (
  const [family, prefix] of [["gpt2", "transformer."], ["gemma2", "model."], [
    "gpt_neox",
    "gpt_neox.",
  ]] as const
) {
  Deno.test(`${family}: a checkpoint whose names lack "${prefix}" has the same weights`, () => {
    using directory = changed(family, (tensors) => renamed(tensors, (name) => name.replace(prefix, "")));
    const found = loadModel(directory.path), wanted = loadModel(join(GOLDEN_FOLDER, family));
    assertEquals(found.parameters.specs, wanted.parameters.specs);
    assertEquals(found.parameters.data, wanted.parameters.data);
  });
}

Deno.test("buffers, and the weights of a tied head, are ignored", () => {
  const stored: Readonly<Record<string, Readonly<Record<string, number[]>>>> = {
    gpt2: {
      "transformer.h.0.attn.bias": [1, 1, 4, 4],
      "transformer.h.1.attn.masked_bias": [],
      "lm_head.weight": [96, 40],
    },
    gpt_neox: {
      "gpt_neox.layers.0.attention.bias": [1, 1, 4, 4],
      "gpt_neox.layers.1.attention.masked_bias": [],
      "gpt_neox.layers.1.attention.rotary_emb.inv_freq": [2],
    },
    gemma: { "model.layers.0.self_attn.rotary_emb.inv_freq": [8], "lm_head.weight": [96, 48] },
  };
  for (const [family, extra] of Object.entries(stored)) {
    using directory = changed(family, (tensors) => {
      const all = new Map(tensors);
      for (const [name, shape] of Object.entries(extra)) {
        all.set(name, f32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1))));
      }
      return all;
    });
    const wanted = loadModel(join(GOLDEN_FOLDER, family));
    assertEquals(loadModel(directory.path).parameters.data, wanted.parameters.data, family);
  }
});

Deno.test("tensors that only look like buffers are rejected: a bias of a family without one, a head that is not tied", () => {
  using directory = changed("mistral", (tensors) => {
    const bias = f32([48], new Float32Array(48));
    return new Map([...tensors, ["model.layers.0.attn.bias", bias], ["embed_out.weight", bias]]);
  });
  assertEquals(
    assertThrows(() => loadModel(directory.path), DataError).message,
    `${directory.path}: weights do not match config.json: ` +
      "embed_out.weight of model.safetensors is not a parameter of the model; " +
      "model.layers.0.attn.bias of model.safetensors is not a parameter of the model",
  );
});

Deno.test("a trunk without its head is rejected unless the head is tied", () => {
  using directory = changed("mistral", (tensors) => {
    const trunk = [...tensors].filter(([name]) => name !== "lm_head.weight");
    return renamed(new Map(trunk), (name) => name.replace("model.", ""));
  });
  assertEquals(
    assertThrows(() => loadModel(directory.path), DataError).message,
    `${directory.path}: weights do not match config.json: lm_head.weight is missing`,
  );
});

FAMILY_GOLDENS.forEach((family, i) => {
  const { className } = Object.values(FAMILIES)[i]!;
  Deno.test(`${family}: its critic has the architecture of transformers, and is read as it was written`, () => {
    const causal = loadModel(join(GOLDEN_FOLDER, family)), critic = criticFrom(causal);
    assertEquals(critic.model.config.architectures, [`${className}ForSequenceClassification`]);
    critic.parameters.view("score.weight").fill(0.25);
    using directory = new TemporaryDirectory();
    writeModel(directory.path, critic);
    const again = loadModel(directory.path);
    assertEquals(again.model.headKind, "score");
    assertEquals(again.parameters.data, critic.parameters.data);
    const trunk = causal.model.blocks[0]!.parameters, [name] = Object.values(trunk).map(({ name }) => name);
    assertEquals(again.parameters.view(name!), causal.parameters.view(name!));
  });
});
