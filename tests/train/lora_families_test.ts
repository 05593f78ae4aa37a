/**
 * Adapters on every family and all linear maps of all blocks: decoding with the merged adapter gives the
 * log-probabilities of training with the separate adapter, so both layouts, fused maps and biases are correct; and
 * training changes the adapter only.
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Generator } from "@/lib/model/generate/generator.ts";
import { criticFrom, type LoadedModel, loadFrozenModel } from "@/lib/model/models/checkpoint.ts";
import { type LoraConfig, PLAIN_LORA } from "@/lib/model/models/lora/adapter.ts";
import { mergedModel } from "@/lib/model/models/lora/merge.ts";
import { newAdapter } from "@/lib/model/models/lora/new_adapter.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { microBatches, targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { numbers } from "@/tests/support/check_grads.ts";
import { FAMILY_GOLDENS, GOLDEN_FOLDER } from "@/tests/support/golden_families.ts";

const CONFIG: LoraConfig = { ...PLAIN_LORA, rank: 3, alpha: 4 };
const PROMPTS = [[3, 7, 1, 9, 12, 30], [6, 11], [5, 4, 40, 2, 19, 33, 21, 8, 60]];

/** Returns an adapter with nonzero B, as after training. */
function adapted(family: string, change: Partial<LoraConfig> = {}): LoadedModel {
  const baseDirectory = `${GOLDEN_FOLDER}/${family}`, next = numbers(7);
  const loaded = newAdapter(loadFrozenModel(baseDirectory), { ...CONFIG, ...change }, {
    baseDirectory,
    seed: 3,
  });
  for (const { name } of loaded.parameters.specs) {
    if (!name.endsWith("lora_B.weight")) continue;
    const view = loaded.parameters.view(name);
    for (let i = 0; i < view.length; i++) view[i] = 0.2 * (2 * next() - 1);
  }
  return loaded;
}

for (const family of FAMILY_GOLDENS) {
  Deno.test(`${family}: a merged adapter decodes to the log-probabilities of training`, () => {
    const { model, parameters } = adapted(family);
    const maps = model.blocks.flatMap((block) =>
      Object.values(block.parameters).filter(({ name, shape }) =>
        shape.length === 2 && !name.includes("lora_")
      )
    );
    assertEquals(model.adapter!.maps.length, maps.length);
    const responses = new Generator(model, parameters).generate({
      prompts: PROMPTS.map((ids, i) => ({ id: `${i}`, ids: Int32Array.from(ids) })),
      sampling: { temperature: 1 },
      maxNewTokens: 7,
      eosIds: [],
      seed: 3,
      batchSize: 2,
    });
    const sequences = PROMPTS.map((ids, i) => {
      const whole = Int32Array.from([...ids, ...responses[i]!.responseIds]);
      return { ids: whole, targets: targetsFrom(ids.length, whole.length) };
    });
    const off = { model: model.adapter!.base, parameters: parameters.backbone! };
    const without = tokenLogprobs(new Network(off.model, off.parameters), sequences);
    let effect = 0;
    tokenLogprobs(new Network(model, parameters), sequences).forEach((logprobs, i) =>
      logprobs.forEach((x, t) => {
        assertAlmostEquals(x, responses[i]!.logprobs[t]!, 1e-4, `row ${i}, token ${t}`);
        effect = Math.max(effect, Math.abs(x - without[i]![t]!));
      })
    );
    assert(effect > 1e-2, `the adapter changes log-probabilities by only ${effect}`);
  });
}

/** One update of AdamW on the prompts themselves. */
function update({ model, parameters }: LoadedModel): number {
  const network = new Network(model, parameters, { trainable: true });
  const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
  const optimizer = new AdamW(network, options);
  const sequences = PROMPTS.map((ids) => ({
    ids: Int32Array.from(ids),
    targets: targetsFrom(1, ids.length),
  }));
  for (const { batch, positions, targetIds } of microBatches(sequences, 64)) {
    const weight = new Float32Array(positions.length).fill(0.1);
    network.run({ batch, positions, program: SUPERVISED, tokens: { id: targetIds, weight }, train: true });
  }
  return optimizer.update(1e-2);
}

for (const family of ["llama", "gpt2", "gemma2"]) {
  Deno.test(`${family}: an update changes every A and B and not a bit of the backbone`, () => {
    const loaded = adapted(family), { backbone } = loaded.parameters;
    const before = loaded.parameters.clone(), frozen = backbone!.data.slice();
    assert(update(loaded) > 0);
    for (const { name } of loaded.parameters.specs) {
      const old = before.view(name);
      assert(loaded.parameters.view(name).some((x, i) => x !== old[i]), name);
    }
    assertEquals(backbone!.data, frozen);
  });
}

Deno.test("layers with other ranks, and layers without an adapter, are trained together", () => {
  const loaded = adapted("llama", {
    targets: ["q_proj", "1.mlp.up_proj"],
    rankPattern: { "1.self_attn.q_proj": 5 },
  });
  assertEquals(loaded.model.adapter!.maps.map(({ layer, rank }) => [layer, rank]), [[0, 3], [1, 5], [1, 3]]);
  assert(update(loaded) > 0);
  const last = adapted("llama", { targets: ["down_proj"], layers: [1] }), before = last.parameters.clone();
  assert(update(last) > 0);
  for (const { name } of last.parameters.specs) assert(name.includes("layers.1."), name);
  assert(last.parameters.data.some((x, i) => x !== before.data[i]));
});

Deno.test("the critic of an adapter is plain, with the adapter merged into its trunk", () => {
  const loaded = adapted("llama"), critic = criticFrom(loaded), merged = mergedModel(loaded);
  assertEquals([critic.model.headKind, critic.model.adapter], ["score", undefined]);
  const name = "model.layers.1.mlp.up_proj.weight";
  assertEquals(critic.parameters.view(name), merged.parameters.view(name));
  assert(critic.parameters.view("score.weight").every((x) => x === 0));
  assertEquals(critic.parameters.backbone, undefined);
});
