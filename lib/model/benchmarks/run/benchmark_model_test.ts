/** Tests responses and log-likelihoods of a real model: stop strings, truncated prompts, continuations. @module */
import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/data/text/load_special_ids.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { loadFrozenModel } from "@/lib/model/models/checkpoint.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { type BenchmarkModel, generateResponses, logLikelihoods } from "./benchmark_model.ts";
import { perplexityOf } from "./perplexity.ts";

const PATH = "fixtures/stories260k";

function storyModel(): BenchmarkModel {
  const { model, parameters } = loadFrozenModel(PATH);
  return {
    name: "stories",
    network: new Network(model, parameters),
    tokenizer: loadTokenizer(PATH),
    eosIds: loadSpecialIds(PATH).eosIds,
  };
}

const GREEDY = { stops: [], maxNewTokens: 24, temperature: 0, samples: 1, seed: 0, batchSize: 4 };

Deno.test("a response ends before the first stop string, and a prompt that is too long loses its beginning", async () => {
  const model = storyModel();
  const [ids] = await model.tokenizer.encodeAll(["Once upon a time, there was"]);
  const free = await generateResponses(model, [ids!], GREEDY);
  const whole = free.responses[0]![0]!.text, word = whole.trim().split(" ")[3]!;
  const stopped = await generateResponses(model, [ids!], { ...GREEDY, stops: [word] });
  assertEquals(stopped.responses[0]![0]!.text, whole.split(word)[0]);
  assertEquals([stopped.responses[0]![0]!.finishReason, free.truncated], ["stop", 0]);
  const context = model.network.model.contextLength;
  const long = Int32Array.from({ length: context }, (_, i) => ids![i % ids!.length]!);
  const cut = await generateResponses(model, [long], GREEDY);
  assertEquals([cut.truncated, cut.responses[0]![0]!.promptIds.length], [1, context - GREEDY.maxNewTokens]);
  const error = await assertRejects(
    () => generateResponses(model, [ids!], { ...GREEDY, maxNewTokens: context }),
    UsageError,
  );
  assertEquals(
    error.message,
    `max-new-tokens must be less than the context length of stories, ${context}, got ${context}`,
  );
});

Deno.test("the log-likelihood of a continuation is the sum over its tokens, whatever the side of the space", async () => {
  const model = storyModel(), { tokenizer, network } = model;
  const context = "Once upon a", continuation = " time";
  const ids = await tokenizer.encode(context + continuation), from = (await tokenizer.encode(context)).length;
  const [expected] = tokenLogprobs(network, [{ ids, targets: targetsFrom(from, ids.length) }]);
  const found = await logLikelihoods(model, [
    { context, continuation },
    { context: `${context} `, continuation: "time" },
    { context, continuation: " quantum" },
  ], { special: true });
  const sum = expected!.reduce((total, value) => total + value, 0);
  assertAlmostEquals(found[0]!, sum, 1e-4);
  assertAlmostEquals(found[1]!, sum, 1e-4);
  assertEquals(found[2]! < found[0]!, true);
});

Deno.test("perplexity predicts every token, in windows where a text exceeds the context", async () => {
  const model = storyModel(), { tokenizer, network } = model;
  const text = "Once upon a time, there was a little girl.";
  const ids = Int32Array.from([tokenizer.bosId!, ...await tokenizer.encode(text, { special: false })]);
  const [logprobs] = tokenLogprobs(network, [{ ids, targets: targetsFrom(1, ids.length) }]);
  const mean = logprobs!.reduce((total, value) => total + value, 0) / logprobs!.length;
  const found = await perplexityOf(model, [text]);
  assertEquals(found.tokens, ids.length - 1);
  assertAlmostEquals(found.token_perplexity, Math.exp(-mean), 1e-4);
  const long = await perplexityOf(model, [Array(60).fill(text).join(" ")]);
  assertEquals(long.tokens > network.model.contextLength, true);
  assertEquals(Number.isFinite(long.word_perplexity), true);
});
