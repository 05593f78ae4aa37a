/**
 * The bits of a response do not depend on the batch, for every family: windows, soft caps, layer norms and GELU use other
 * kernels than Llama.
 * @module
 */
import { assertEquals } from "@std/assert";
import { Generator } from "@/lib/model/generate/generator.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { FAMILY_GOLDENS, GOLDEN_FOLDER } from "@/tests/support/golden_families.ts";

/** Ragged prompts, some longer than the windows. */
const PROMPTS = Array.from({ length: 8 }, (_, i) => ({
  id: `${i}`,
  ids: Int32Array.from({ length: 1 + (i * 5) % 23 }, (_, t) => (i * 13 + t * 7) % 96),
}));

for (const family of [...FAMILY_GOLDENS, "llama_rope_yarn"]) {
  Deno.test(`${family}: responses have equal bits in any batch and order`, () => {
    const { model, parameters } = loadModel(`${GOLDEN_FOLDER}/${family}`);
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
