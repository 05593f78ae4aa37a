import { assert, assertEquals, assertThrows } from "@std/assert";
import { loadFrozenModel, loadModel, writeModel } from "@/lib/models/checkpoint.ts";
import { newAdapter } from "@/lib/models/lora/new_adapter.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Network } from "@/lib/train/network.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { frozenNetwork, FrozenNetworks } from "./frozen_networks.ts";

const MODELS = "fixtures/goldens/srppo";
const BASE = `${MODELS}/base`, SFT = `${MODELS}/sft`, POLICY = `${MODELS}/policy`;

Deno.test("a network is loaded once per content, wherever it lies", () => {
  using directory = new TemporaryDirectory();
  for (const { name } of Deno.readDirSync(BASE)) Deno.copyFileSync(`${BASE}/${name}`, directory.file(name));
  const first = frozenNetwork(BASE);
  assert(frozenNetwork(directory.path) === first);
  assert(frozenNetwork(SFT) !== first);
  assertEquals(first.gradients, undefined); // nothing can train it
});

Deno.test("beyond their bytes the least recently used networks leave first", () => {
  const bytes = frozenNetwork(BASE).parameters.data.byteLength; // all three are as large
  const networks = new FrozenNetworks(2 * bytes);
  const base = networks.get(BASE), sft = networks.get(SFT);
  assert(networks.get(BASE) === base); // used again: now SFT is the oldest
  networks.get(POLICY);
  assert(networks.get(BASE) === base);
  assert(networks.get(SFT) !== sft);
});

Deno.test("a network larger than what is kept is still given, and stays until the next", () => {
  const networks = new FrozenNetworks(1), base = networks.get(BASE);
  assert(networks.get(BASE) === base);
  networks.get(SFT);
  assert(networks.get(BASE) !== base);
});

Deno.test("a critic is no frozen language model", () => {
  assertThrows(
    () => frozenNetwork(`${MODELS}/critic`),
    DataError,
    `${MODELS}/critic: a language model is required, got a critic`,
  );
});

Deno.test("adapters on one backbone take its memory once: both stay where two backbones would not fit", () => {
  using directory = new TemporaryDirectory();
  const base = "fixtures/goldens/lora/base",
    { config } = loadModel("fixtures/goldens/lora/adapter").model.adapter!;
  const paths = [1, 2].map((seed) => {
    const path = directory.file(`member${seed}`);
    Deno.mkdirSync(path);
    writeModel(path, newAdapter(loadFrozenModel(base), config, { baseDirectory: base, seed }));
    return path;
  });
  const backbone = loadFrozenModel(base).parameters;
  const networks = new FrozenNetworks(1.9 * backbone.data.byteLength);
  const [first, second] = paths.map((path) => networks.get(path)) as [Network, Network];
  assert(first.parameters.backbone === backbone && second.parameters.backbone === backbone);
  assert(networks.get(base).parameters === backbone, "the base is the same weights too");
  assert(networks.get(paths[0]!) === first && networks.get(paths[1]!) === second);
});
