/** Adapters on disk: read, written, shared, rejected. tests/goldens/lora_test.ts checks their arithmetic. */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { digestFile } from "@/lib/data/files/digest.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { Network } from "@/lib/model/train/network.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { loadFrozenModel, loadModel, readModel, writeMerged, writeModel } from "../checkpoint.ts";
import type { LoraConfig } from "./adapter.ts";
import { newAdapter } from "./new_adapter.ts";

const FOLDER = "fixtures/goldens/lora", ADAPTER = `${FOLDER}/adapter`;

/** Returns a copy of the golden adapter with another config. */
function changed(directory: TemporaryDirectory, change: Record<string, unknown>): string {
  const json = JSON.parse(Deno.readTextFileSync(`${ADAPTER}/adapter_config.json`));
  directory.write("adapter_config.json", JSON.stringify({ ...json, ...change }));
  Deno.copyFileSync(`${ADAPTER}/adapter_model.safetensors`, directory.file("adapter_model.safetensors"));
  return directory.path;
}

Deno.test("an adapter is written with PEFT's bytes, and its directory is complete", () => {
  using directory = new TemporaryDirectory();
  const loaded = loadModel(ADAPTER);
  writeModel(directory.path, loaded);
  assertEquals(
    digestFile(directory.file("adapter_model.safetensors")),
    digestFile(`${ADAPTER}/adapter_model.safetensors`),
  );
  const names = [...Deno.readDirSync(directory.path)].map(({ name }) => name).sort();
  assertEquals(names, ["adapter_config.json", "adapter_model.safetensors", "base", "config.json"]);
  for (const name of ["config.json", "model.safetensors"]) {
    assertEquals(digestFile(directory.file(`base/${name}`)), digestFile(`${FOLDER}/base/${name}`));
  }
  assertEquals(readModel(directory.path).config, readModel(`${FOLDER}/base`).config);
  const again = loadModel(directory.path);
  assertEquals(again.parameters.data, loaded.parameters.data);
  assertEquals(again.model.adapter!.maps, loaded.model.adapter!.maps);
});

Deno.test("adapters on one base share its weights, and a model to be trained has its own copy", () => {
  using directory = new TemporaryDirectory();
  const first = loadModel(ADAPTER), second = loadModel(`${FOLDER}/adapter_rslora`);
  writeModel(directory.path, first); // a copy of the base in another place
  const backbone = first.parameters.backbone!;
  assert(second.parameters.backbone === backbone);
  assert(loadModel(directory.path).parameters.backbone === backbone);
  assert(loadFrozenModel(`${FOLDER}/base`).parameters === backbone);
  assert(loadModel(`${FOLDER}/base`).parameters.data.buffer !== backbone.data.buffer);
});

Deno.test("a merged adapter is a plain checkpoint with the same weights as PEFT's merge", () => {
  using directory = new TemporaryDirectory();
  writeMerged(directory.path, loadModel(ADAPTER));
  const found = loadModel(directory.path), wanted = loadModel(`${ADAPTER}/merged`);
  assertEquals(found.model.adapter, undefined);
  for (const { name } of wanted.parameters.specs) {
    const values = wanted.parameters.view(name);
    found.parameters.view(name).forEach((x, i) => assert(Math.abs(x - values[i]!) < 1e-6, `${name}[${i}]`));
  }
});

Deno.test("a new adapter changes nothing, has A within ±1/√in, and depends on its seed only", () => {
  const base = loadFrozenModel(`${FOLDER}/base`);
  const config: LoraConfig = {
    ...loadModel(ADAPTER).model.adapter!.config,
    targets: "all-linear",
  };
  const make = (seed: number) => newAdapter(base, config, { baseDirectory: `${FOLDER}/base`, seed });
  const { model, parameters } = make(1);
  for (const { name, shape } of parameters.specs) {
    const values = parameters.view(name);
    if (name.endsWith("lora_B.weight")) {
      assert(values.every((x) => x === 0), name);
      continue;
    }
    const bound = 1 / Math.sqrt(shape[1]!), largest = Math.max(...values.map(Math.abs));
    assert(largest <= bound && largest > 0.9 * bound, `${name}: ${largest} of ${bound}`);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    assert(Math.abs(mean) < 0.2 * bound, `${name}: mean ${mean}`);
  }
  assertEquals(model.adapter!.maps.length, 14);
  assertEquals(make(1).parameters.data, parameters.data);
  assertNotEquals(make(2).parameters.data, parameters.data);
});

Deno.test("an adapter with dropout can be used, but not trained", () => {
  using directory = new TemporaryDirectory();
  const path = changed(directory, {
    lora_dropout: 0.1,
    base_model_name_or_path: Deno.realPathSync(`${FOLDER}/base`),
  });
  const { model, parameters } = loadModel(path);
  new Network(model, parameters);
  assertEquals(
    assertThrows(() => new Network(model, parameters, { trainable: true }), DataError).message,
    "lora_dropout of an adapter to be trained must be 0, got 0.1",
  );
});

Deno.test("a missing base, and tensors that do not match the config, are rejected by name", () => {
  using directory = new TemporaryDirectory();
  const path = changed(directory, { base_model_name_or_path: "org/model" });
  assertEquals(
    assertThrows(() => loadModel(path), DataError).message,
    `${path}: the adapter's base must be in ${path}/base or at base_model_name_or_path, got ` +
      "org/model, which is not a model directory",
  );
  using other = new TemporaryDirectory();
  const wrong = changed(other, {
    base_model_name_or_path: Deno.realPathSync(`${FOLDER}/base`),
    target_modules: ["q_proj", "v_proj", "o_proj"],
    rank_pattern: { "1.self_attn.v_proj": 2 },
  });
  const at = "base_model.model.model.layers",
    missing = [0, 1].flatMap((layer) =>
      ["A", "B"].map((side) => `${at}.${layer}.self_attn.o_proj.lora_${side}.weight is missing`)
    );
  const [first, second] = [missing.slice(0, 2), missing.slice(2)];
  assertEquals(
    assertThrows(() => loadModel(wrong), DataError).message,
    `${wrong}: adapter_model.safetensors does not match adapter_config.json: ` +
      [
        ...first,
        `${at}.1.self_attn.v_proj.lora_A.weight must have shape [2,48], got [4,48]`,
        `${at}.1.self_attn.v_proj.lora_B.weight must have shape [24,2], got [24,4]`,
        ...second,
        ...[0, 1].flatMap((layer) =>
          ["A", "B"].map((side) =>
            `${at}.${layer}.mlp.up_proj.lora_${side}.weight matches no map of the base`
          )
        ),
      ].join("; "),
  );
});
