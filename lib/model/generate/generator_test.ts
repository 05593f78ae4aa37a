import { assert, assertEquals, assertThrows } from "@std/assert";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import type { Generated, GenerationPrompt } from "./generation_options.ts";
import { Generator } from "./generator.ts";

const { model, parameters } = loadModel("fixtures/stories260k");

/** Prompts of 1 to 40 tokens: BOS and ordinary pieces. */
function prompts(count: number): GenerationPrompt[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `p${i}`,
    ids: Int32Array.from({ length: 1 + (i * 7) % 40 }, (_, t) => t === 0 ? 1 : 300 + (i * 31 + t * 17) % 200),
  }));
}

const asked = prompts(64);

function respond(some: readonly GenerationPrompt[], batchSize: number, temperature = 1): Generated[] {
  return new Generator(model, parameters).generate({
    prompts: some,
    sampling: { temperature },
    maxNewTokens: 24,
    eosIds: [432], // a common piece: responses end at different times, so that slots are refilled
    seed: 5,
    batchSize,
  });
}

/** Ids and the exact bits of the log-probabilities. */
function bits({ responseIds, logprobs, finishReason }: Generated): string {
  return `${responseIds} ${new Uint32Array(
    logprobs.buffer,
    logprobs.byteOffset,
    logprobs.length,
  )} ${finishReason}`;
}

const reference = respond(asked, 64).map(bits);

for (const batchSize of [1, 2, 7]) {
  Deno.test(`rollouts are equal bit for bit for batch size ${batchSize} and 64`, () => {
    assertEquals(respond(asked, batchSize).map(bits), reference);
  });
}

Deno.test("rollouts are equal bit for bit for any order and share of the prompts", () => {
  const order = asked.map((_, i) => (i * 37 + 11) % asked.length);
  const shuffled = respond(order.map((i) => asked[i]!), 16).map(bits);
  assertEquals(shuffled, order.map((i) => reference[i]!));
  assertEquals(respond(asked.slice(20, 23), 16).map(bits), reference.slice(20, 23));
});

Deno.test("the same ragged batch through decoding and through training gives the same log-probabilities", () => {
  const responses = respond(asked, 64);
  const sequences = asked.map(({ ids }, i) => {
    const all = Int32Array.from([...ids, ...responses[i]!.responseIds]);
    return { ids: all, targets: targetsFrom(ids.length, all.length) };
  });
  const trained = tokenLogprobs(new Network(model, parameters), sequences);
  let largest = 0;
  trained.forEach((row, i) =>
    row.forEach((x, t) => largest = Math.max(largest, Math.abs(x - responses[i]!.logprobs[t]!)))
  );
  assert(largest < 1e-4, `largest difference ${largest}`);
});

Deno.test("greedy responses do not depend on the seed, and end with the end token once", () => {
  const once = respond(asked.slice(0, 8), 8, 0), again = respond(asked.slice(0, 8), 3, 0);
  assertEquals(once.map(bits), again.map(bits));
  for (const { responseIds, finishReason } of once) {
    const ends = [...responseIds].filter((id) => id === 432).length;
    assertEquals(ends, finishReason === "eos" ? 1 : 0);
    if (finishReason === "eos") assertEquals(responseIds.at(-1), 432);
    else assertEquals(responseIds.length, 24);
  }
});

Deno.test("a response may end with its first token: there is no least length (statement 17)", () => {
  const ended = new Generator(model, parameters).generate({
    prompts: asked.slice(0, 8),
    sampling: { temperature: 1 },
    maxNewTokens: 24,
    eosIds: Array.from({ length: model.vocabSize }, (_, id) => id),
    seed: 5,
    batchSize: 8,
  });
  const free = respond(asked.slice(0, 8), 8);
  ended.forEach(({ responseIds, finishReason }, i) =>
    assertEquals([[...responseIds], finishReason], [[free[i]!.responseIds[0]], "eos"])
  );
});

Deno.test("log-probabilities at temperature 1 accompany those of another temperature", () => {
  const [cool] = new Generator(model, parameters).generate({
    prompts: asked.slice(9, 10),
    sampling: { temperature: 0.7, topK: 20 },
    maxNewTokens: 6,
    eosIds: [],
    seed: 5,
    batchSize: 1,
    logprobsT1: true,
  });
  const ids = Int32Array.from([...asked[9]!.ids, ...cool!.responseIds]);
  const [plain] = tokenLogprobs(new Network(model, parameters), [{
    ids,
    targets: targetsFrom(asked[9]!.ids.length, ids.length),
  }]);
  cool!.logprobsT1!.forEach((x, t) =>
    assert(Math.abs(x - plain![t]!) < 1e-4, `token ${t}: ${x} and ${plain![t]}`)
  );
  assert(
    cool!.logprobs.some((x, t) => Math.abs(x - plain![t]!) > 1e-2),
    "the sampled distribution is another one",
  );
});

Deno.test("all prompts that are empty or leave no room are listed", () => {
  const bad = [{ id: "a", ids: new Int32Array(0) }, { id: "b", ids: new Int32Array(500).fill(1) }];
  assertThrows(
    () => respond(bad, 2),
    UsageError,
    "A prompt must have 1 to 488 tokens, as max_new_tokens is 24 and the model's context has 512: " +
      '"a" has 0; "b" has 500',
  );
});
