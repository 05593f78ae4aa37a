import { assert, assertEquals, assertThrows } from "@std/assert";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { loadFrozenModel, loadModel, writeModel } from "@/lib/model/models/checkpoint.ts";
import { newAdapter } from "@/lib/model/models/lora/new_adapter.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { frozenNetwork, FrozenNetworks } from "./frozen_networks.ts";

const MODELS = "fixtures/goldens/srppo";
const BASE = `${MODELS}/base`, SFT = `${MODELS}/sft`, POLICY = `${MODELS}/policy`;

Deno.test("a network is loaded once per content, in whatever directory", () => {
  using directory = new TemporaryDirectory();
  for (const { name } of Deno.readDirSync(BASE)) Deno.copyFileSync(`${BASE}/${name}`, directory.file(name));
  const first = frozenNetwork(BASE);
  assert(frozenNetwork(directory.path) === first);
  assert(frozenNetwork(SFT) !== first);
  assertEquals(first.gradients, undefined); // nothing can train it
});

const digestOf = (path: string) => digestDirectory(path).digest;

Deno.test("an ensemble of any size stays loaded: the models of the reward in use are not reloaded every iteration", () => {
  const networks = new FrozenNetworks(), ensemble = [BASE, SFT, POLICY];
  networks.hold(ensemble.map(digestOf));
  const first = ensemble.map((path) => networks.get(path));
  for (const _iteration of [1, 2]) {
    networks.hold(ensemble.map(digestOf));
    ensemble.forEach((path, i) => assert(networks.get(path) === first[i], path));
  }
});

Deno.test("of the models that are not held, the last used one stays", () => {
  const networks = new FrozenNetworks();
  networks.hold([digestOf(BASE)]);
  const base = networks.get(BASE), sft = networks.get(SFT);
  assert(networks.get(SFT) === sft);
  networks.get(POLICY);
  assert(networks.get(SFT) !== sft);
  assert(networks.get(BASE) === base);
});

Deno.test("hold() removes the models that were held before", () => {
  const networks = new FrozenNetworks();
  networks.hold([BASE, SFT].map(digestOf));
  const [base, sft] = [networks.get(BASE), networks.get(SFT)];
  networks.hold([digestOf(SFT)]);
  assert(networks.get(SFT) === sft);
  assert(networks.get(BASE) !== base);
});

Deno.test("a critic is not a frozen language model", () => {
  assertThrows(
    () => frozenNetwork(`${MODELS}/critic`),
    DataError,
    `${MODELS}/critic: a language model is required, got a critic`,
  );
});

Deno.test("adapters on one backbone share its weights", () => {
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
  const networks = new FrozenNetworks();
  networks.hold([base, ...paths].map(digestOf));
  const [first, second] = paths.map((path) => networks.get(path)) as [Network, Network];
  assert(first.parameters.backbone === backbone && second.parameters.backbone === backbone);
  assert(networks.get(base).parameters === backbone, "the base has the same weights too");
  assert(networks.get(paths[0]!) === first && networks.get(paths[1]!) === second);
});
