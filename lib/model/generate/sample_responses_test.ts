/** Tests the sampler that `rollout`, `eval` and `build-reward` share. @module */
import { assertEquals, assertRejects } from "@std/assert";
import type { PromptRow } from "@/lib/data/contracts/prompts.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { Generator } from "./generator.ts";
import { type SampleOptions, sampleResponses } from "./sample_responses.ts";

const { model, parameters } = loadModel("fixtures/stories260k");
const prompts = Array.from({ length: 6 }, (_, i): PromptRow => ({
  id: `p${i}`,
  promptIds: Int32Array.from(
    { length: 1 + i * 7 },
    (_, t) => t === 0 ? 1 : 300 + (i * 31 + t * 17) % 200,
  ),
  meta: `{"number":${i}}`,
}));
const OPTIONS: SampleOptions = {
  name: "test",
  prompts,
  samplesPerPrompt: 2,
  sampling: { temperature: 1 },
  maxNewTokens: 12,
  eosIds: [432],
  seed: 5,
  batchSize: 4,
};
const sample = (options: Partial<SampleOptions> = {}) =>
  sampleResponses(new Generator(model, parameters), { ...OPTIONS, ...options });

Deno.test("a response depends on the seed, its id and its prompt, and not on batch size or other prompts", async () => {
  const rows = await sample();
  assertEquals(rows.map(({ id }) => id), prompts.flatMap(({ id }) => [`test/${id}/0`, `test/${id}/1`]));
  assertEquals(await sample({ batchSize: 64 }), rows);
  assertEquals(await sample({ prompts: prompts.slice(2, 4) }), rows.slice(4, 8));
  const texts = (await Promise.all([sample(), sample({ seed: 6 }), sample({ name: "other" })]))
    .map((some) => some.map(({ responseIds }) => responseIds.join()).join(";"));
  assertEquals(new Set(texts).size, 3);
});

Deno.test("samples of a prompt that occurs twice are numbered consecutively, and rows carry its meta", async () => {
  const rows = await sample({ prompts: [prompts[1]!, prompts[1]!], samplesPerPrompt: 1 });
  assertEquals(rows.map(({ id, promptId, sample, meta }) => ({ id, promptId, sample, meta })), [
    { id: "test/p1/0", promptId: "p1", sample: 0, meta: '{"number":1}' },
    { id: "test/p1/1", promptId: "p1", sample: 1, meta: '{"number":1}' },
  ]);
});

Deno.test("logprobsT1 is null unless sampling differs from temperature 1 without top-k and top-p", async () => {
  for (const temperature of [0, 1]) {
    const rows = await sample({ sampling: { temperature } });
    assertEquals(new Set(rows.map(({ logprobsT1 }) => logprobsT1)), new Set([null]));
  }
  for (const { logprobsT1, responseIds } of await sample({ sampling: { temperature: 0.7 } })) {
    assertEquals(logprobsT1!.length, responseIds.length);
  }
});

Deno.test("onStep may throw to stop", async () => {
  await assertRejects(
    () =>
      sample({
        onStep() {
          throw new RangeError("stop here");
        },
      }),
    RangeError,
    "stop here",
  );
});
