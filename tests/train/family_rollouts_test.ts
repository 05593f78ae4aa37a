/**
 * A response has the same bits whoever else is in the batch, for every family: windows, soft caps, layer norms and GELU
 * go through other kernels than Llama's do.
 * @module
 */
import { assertEquals } from "@std/assert";
import { Generator } from "@/lib/generate/generator.ts";
import { loadModel } from "@/lib/models/checkpoint.ts";

const FAMILIES = [
  ...[
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3",
    "phi3",
    "gpt2",
    "gpt_neox",
    "olmo2",
    "smollm3",
  ],
  "llama_rope_yarn",
];

/** Ragged prompts, some longer than the windows. */
const PROMPTS = Array.from({ length: 8 }, (_, i) => ({
  id: `${i}`,
  ids: Int32Array.from({ length: 1 + (i * 5) % 23 }, (_, t) => (i * 13 + t * 7) % 96),
}));

for (const family of FAMILIES) {
  Deno.test(`${family}: responses have equal bits in any batch and order`, () => {
    const { model, parameters } = loadModel(`fixtures/goldens/families/${family}`);
    const responses = (batchSize: number, prompts = PROMPTS) => {
      const generated = new Generator(model, parameters).generate({
        prompts,
        sampling: { temperature: 1 },
        maxNewTokens: 12,
        eosIds: [2, 9, 30],
        seed: 4,
        batchSize,
      });
      return Object.fromEntries(prompts.map(({ id }, i) => [id, generated[i]]));
    };
    const alone = responses(1);
    assertEquals(responses(7), alone);
    assertEquals(responses(3, PROMPTS.toReversed()), alone);
  });
}
