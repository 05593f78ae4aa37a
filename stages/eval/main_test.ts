/** Tests the stage on files: its metrics, the random numbers that models share, and errors. @module */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { readEvals } from "@/lib/data/contracts/evals.ts";
import { copyTokenizerFiles, tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { readPrompts, writePrompts } from "@/lib/data/contracts/prompts.ts";
import { readSamples } from "@/lib/data/contracts/samples.ts";
import type { InputPaths, StageProgress } from "@/lib/data/contracts/stage.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { digestFile } from "@/lib/data/files/digest.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import {
  evalRowOf,
  evaluatedModels,
  makeEvalSetting,
  PROMPTS,
  runEval,
  WORDS,
} from "@/tests/support/eval_setting.ts";
import { BASE } from "@/tests/support/relatives.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { params } from "./params.ts";

Deno.test("every model has every metric in every mode, and samples of all prompts", async () => {
  using directory = new TemporaryDirectory();
  const setting = await makeEvalSetting(directory.path);
  const { evals, samples } = await evaluatedModels(setting, { samples_per_prompt: 2 });
  const metrics = [
    "score",
    "both_words",
    "eos_rate",
    "response_length",
    "kl_to_sft",
    "reward",
    "base_nll",
    "distinct_2",
  ];
  const keys = ["base", "sft", "policy"].flatMap((model) =>
    ["greedy", "sampled"].flatMap((mode) => metrics.map((metric) => [model, mode, metric]))
  );
  assertEquals(evals.map(({ model, mode, metric }) => [model, mode, metric]), keys);
  assertEquals(evalRowOf(evals, "policy", "sampled", "reward").n, 6);
  assertEquals(evalRowOf(evals, "policy", "greedy", "reward").n, 3);
  assertEquals(samples.length, 3 * 3 * (1 + 2));
  assertEquals(samples.slice(0, 9).map(({ promptId }) => promptId), Array(9).fill("p0"));
  assertEquals(samples[0]!.prompt, PROMPTS[0]);
});

Deno.test("responses to the first prompts have the reward of each token, whose sum is their reward", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, policy, prompts, reward } = await makeEvalSetting(directory.path);
  await runEval(dir, { prompts, reward, sft, base: BASE, models: { policy } }, { max_new_tokens: 24 });
  const samples = readSamples(join(dir, "samples.arrow"));
  assertEquals(samples.length, 2 * PROMPTS.length);
  for (const { response, finishReason, scores } of samples) {
    const { token_rewards: tokens, reward: sum } = JSON.parse(scores) as {
      token_rewards: [string, number][];
      reward: number;
    };
    assertAlmostEquals(tokens.reduce((total, [, value]) => total + value, 0), sum, 1e-4 * tokens.length);
    const text = tokens.map(([piece]) => piece).join("");
    assertEquals(text.replace("</s>", "").trim(), response.trim());
    assertEquals(text.endsWith("</s>"), finishReason === "eos");
  }
});

Deno.test("means are those of the responses' metrics, confirmed by another computation of the log-probabilities", async () => {
  using directory = new TemporaryDirectory();
  const setting = await makeEvalSetting(directory.path);
  const { evals, samples } = await evaluatedModels(setting);
  const networks = Object.fromEntries(
    [["base", BASE], ["sft", setting.sft], ["policy", setting.policy]].map(([name, path]) => {
      const { model, parameters } = loadModel(path!);
      return [name, new Network(model, parameters)];
    }),
  );
  const { rows: prompts } = readPrompts(setting.prompts);
  const policy = networks.policy!;
  const responses = new Generator(policy.model, policy.parameters).generate({
    prompts: prompts.map(({ id, promptIds }) => ({ id: `eval/${id}/0`, ids: promptIds })),
    sampling: { temperature: 1 },
    maxNewTokens: 16,
    eosIds: [2],
    seed: 7,
    batchSize: 1,
  });
  assert(
    responses.some(({ finishReason }) => finishReason === "eos"),
    "a response must end, or ends are not tested",
  );
  let fluencySum = 0, fluencyTokens = 0;
  const rewards: number[] = [], divergences: number[] = [];
  responses.forEach(({ responseIds }, i) => {
    const { promptIds } = prompts[i]!, ids = [...promptIds, ...responseIds];
    const of = (name: string) =>
      tokenLogprobs(networks[name]!, [{ ids, targets: targetsFrom(promptIds.length, ids.length) }])[0]!;
    const [base, sft, own] = [of("base"), of("sft"), of("policy")];
    rewards.push(responseIds.reduce((sum, id, t) => {
      const ratio = (sft[t]! + own[t]!) / 2 - base[t]!;
      return sum + (id === 2 ? Math.max(-2, Math.min(2, ratio)) : base[t]! > -3 ? ratio : 0);
    }, 0));
    divergences.push(own.reduce((sum, logprob, t) => sum + logprob - sft[t]!, 0));
    const body = [1, ...responseIds.filter((id) => id !== 2)];
    if (body.length === 1) return; // a response of EOS only has no text
    const [fluency] = tokenLogprobs(networks.base!, [{ ids: body, targets: targetsFrom(1, body.length) }]);
    fluencySum -= fluency!.reduce((a, b) => a + b, 0);
    fluencyTokens += fluency!.length;
  });
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(rewards.reduce((sum, r) => sum + (r - mean(rewards)) ** 2, 0) / 2);
  const reward = evalRowOf(evals, "policy", "sampled", "reward");
  assertAlmostEquals(reward.mean, mean(rewards), 1e-4);
  assertAlmostEquals(reward.stderr, deviation / Math.sqrt(3), 1e-4);
  assertAlmostEquals(evalRowOf(evals, "policy", "sampled", "kl_to_sft").mean, mean(divergences), 1e-4);
  assertAlmostEquals(
    evalRowOf(evals, "policy", "sampled", "base_nll").mean,
    fluencySum / fluencyTokens,
    1e-4,
  );
  assertAlmostEquals(evalRowOf(evals, "sft", "sampled", "kl_to_sft").mean, 0, 1e-4);
  assert(
    Math.abs(evalRowOf(evals, "policy", "sampled", "kl_to_sft").mean) > 0.01,
    "the policy must differ from SFT",
  );

  const texts = samples.filter(({ model, mode }) => model === "policy" && mode === "sampled");
  const tokenizer = loadTokenizer(BASE);
  assertEquals(
    texts.map(({ response }) => response),
    responses.map(({ responseIds }) => tokenizer.decode(responseIds, { skipSpecial: true })),
  );
  texts.forEach(({ scores, finishReason, response }, i) => {
    const found = JSON.parse(scores);
    assertAlmostEquals(found.reward, rewards[i]!, 1e-4);
    assertEquals(found.eos_rate, finishReason === "eos" ? 1 : 0);
    const hits = WORDS[i]!.filter((word) => new RegExp(`\\b${word}\\b`).test(response)).length;
    assertEquals(found.score, finishReason === "eos" ? hits / 2 : 0);
  });
});

Deno.test("equal models give equal responses, whatever else is evaluated and in which batches, and bytes repeat", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, policy, prompts } = await makeEvalSetting(directory.path);
  const files = [join(dir, "evals.arrow"), join(dir, "samples.arrow")];
  await runEval(dir, { models: { a: sft, b: sft, policy }, prompts, sft });
  const before = files.map(digestFile), samples = readSamples(files[1]!);
  const of = (name: string) => samples.filter(({ model }) => model === name).map(({ response }) => response);
  assertEquals(of("a"), of("b"));
  await runEval(dir, { models: { a: sft, b: sft, policy }, prompts, sft }, { batch_size: 1 });
  assertEquals(files.map(digestFile), before);
  await runEval(dir, { models: { a: sft }, prompts, sft });
  assertEquals(readSamples(files[1]!).map(({ response }) => response), of("a"));
  await runEval(dir, { models: { a: sft, b: sft, policy }, prompts, sft }, {}, { seed: 8 });
  assert(digestFile(files[1]!) !== before[1], "another seed must give other samples");
});

Deno.test("without checker and reward the counted metrics remain; NLL of held-out demonstrations is pooled over tokens", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, prompts } = await makeEvalSetting(directory.path);
  const tokenizer = loadTokenizer(BASE), validation = join(dir, "validation.arrow");
  const texts = ["Tim had a ball. He ran.", "A dog sat on the mat and slept. It was late."];
  const rows = (await tokenizer.encodeAll(texts)).map((inputIds, i) => ({
    id: `v${i}`,
    inputIds,
    lossMask: Uint8Array.from(inputIds, (_, t) => t >= 3 ? 1 : 0),
    source: "",
  }));
  await writeTokens(validation, { rows, tokenizerDigest: tokenizerDigest(BASE) });
  const steps: StageProgress[] = [];
  await runEval(dir, { models: { sft }, prompts, validation }, { modes: ["greedy"] }, {
    progress: (p) => steps.push(p),
  });
  const evals = readEvals(join(dir, "evals.arrow"));
  assertEquals(evals.map(({ metric }) => metric), [
    "eos_rate",
    "response_length",
    "distinct_2",
    "validation_nll",
  ]);
  const { model, parameters } = loadModel(sft);
  const logprobs = tokenLogprobs(
    new Network(model, parameters),
    rows.map(({ inputIds }) => ({ ids: inputIds, targets: targetsFrom(3, inputIds.length) })),
  ).flatMap((row) => [...row]);
  const row = evalRowOf(evals, "sft", "greedy", "validation_nll");
  assertAlmostEquals(row.mean, -logprobs.reduce((a, b) => a + b, 0) / logprobs.length, 1e-6);
  assertEquals(row.n, 2);
  assertEquals([steps[0]!.step, steps[0]!.total, steps[0]!.message], [0, 1, "sampling from sft, greedy"]);
  assertEquals([steps.at(-1)!.step, steps.at(-1)!.total], [1, 1]);
});

Deno.test("reward needs no SFT model, and base_nll uses the given base", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, policy, prompts, reward } = await makeEvalSetting(directory.path);
  const given = { modes: ["sampled" as const] };
  const metricsOf = async (inputs: InputPaths) => {
    await runEval(dir, { models: { policy }, prompts, ...inputs }, given);
    return Object.fromEntries(readEvals(join(dir, "evals.arrow")).map(({ metric, mean }) => [metric, mean]));
  };
  const whole = await metricsOf({ reward, sft, base: BASE }), lone = await metricsOf({ reward });
  assertEquals(lone.kl_to_sft, undefined);
  assertEquals([lone.reward, lone.base_nll], [whole.reward, whole.base_nll]);
  const other = await metricsOf({ reward, base: policy }), alone = await metricsOf({ base: policy });
  assertEquals(other.reward, whole.reward);
  assertEquals(other.base_nll, alone.base_nll);
  assert(Math.abs(other.base_nll! - whole.base_nll!) > 1e-3, "another base must give another value");
});

Deno.test("kept_samples stores the responses to the first prompts", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, prompts } = await makeEvalSetting(directory.path);
  await runEval(dir, { models: { sft }, prompts }, { modes: ["greedy"], kept_samples: 2 });
  assertEquals(readSamples(join(dir, "samples.arrow")).map(({ promptId }) => promptId), ["p0", "p1"]);
  await runEval(dir, { models: { sft }, prompts }, { modes: ["greedy"], kept_samples: 0 });
  assertEquals(readSamples(join(dir, "samples.arrow")).map(({ promptId }) => promptId), ["p0", "p1", "p2"]);
});

Deno.test("models of other tokenizers, critics, and prompts that leave no room are errors that name them", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, prompts } = await makeEvalSetting(directory.path);
  const digest = tokenizerDigest(BASE).slice(0, 12), other = "fixtures/goldens/families/llama";
  const foreign = await assertRejects(
    () => runEval(dir, { models: { a: sft, b: other }, prompts }),
    DataError,
  );
  assertEquals(
    foreign.message,
    "prompts, models.a and models.b must have the same tokenizer, got " +
      `${digest} (prompts), ${tokenizerDigest(other).slice(0, 12)} (models.b)`,
  );
  const long = await assertRejects(
    () => runEval(dir, { models: { a: sft }, prompts }, { max_new_tokens: 508 }),
    DataError,
  );
  const lengths = readPrompts(prompts).rows.map(({ promptIds }) => promptIds.length);
  assertEquals(
    long.message,
    `${prompts} is incompatible with the models: ` +
      [0, 1, 2].filter((i) => lengths[i]! > 4).map((i) =>
        `prompt "p${i}" has ${lengths[i]} tokens and 508 new tokens, more than the context of models.a (512)`
      ).join("; "),
  );
  const critic = join(dir, "critic");
  Deno.mkdirSync(critic);
  copyTokenizerFiles(BASE, critic);
  const config = JSON.parse(Deno.readTextFileSync(`${BASE}/config.json`));
  Deno.writeTextFileSync(
    join(critic, "config.json"),
    JSON.stringify({ ...config, architectures: ["LlamaForSequenceClassification"] }),
  );
  const refused = await assertRejects(() => runEval(dir, { models: { critic }, prompts }), DataError);
  assertEquals(
    refused.message,
    `${prompts} is incompatible with the models: models.critic must be a language model, got a critic`,
  );
});

Deno.test("a checker's field and metric names are checked, and a stop writes nothing", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, prompts } = await makeEvalSetting(directory.path);
  const given = { modes: ["greedy" as const] };
  const module = directory.write("own.mjs", "export const check = () => ({ score: 1, reward: 2 });");
  const taken = await assertRejects(
    () => runEval(dir, { models: { sft }, prompts }, { ...given, checker: module }),
    DataError,
  );
  assertEquals(
    taken.message,
    "The checker must not return metrics with reserved names, got reward",
  );
  const bad = join(dir, "bad.arrow");
  const rows = readPrompts(prompts).rows.map((row) => ({ ...row, meta: "[]" }));
  await writePrompts(bad, { rows, tokenizerDigest: tokenizerDigest(BASE) });
  const meta = await assertRejects(
    () => runEval(dir, { models: { sft }, prompts: bad }, { ...given, checker: "words" }),
    DataError,
  );
  assertEquals(
    meta.message,
    `${bad}: meta of prompt "p0" must be a JSON object, got "[]"`,
  );
  const stopped = await assertRejects(
    () => runEval(dir, { models: { sft }, prompts }, given, { signal: AbortSignal.abort() }),
    TryAgainError,
  );
  assertEquals(stopped.message, "Interrupted: this evaluation is discarded. Run the same command to resume");
  assertEquals([...Deno.readDirSync(dir)].some(({ name }) => name === "evals.arrow"), false);
});

Deno.test("every parameter has a description and the source of its default", () => {
  for (const [name, schema] of Object.entries(params.shape)) {
    const { description, source } = schema.meta() as { description?: string; source?: string };
    assert(description !== undefined && source !== undefined, name);
  }
  params.parse({});
});

Deno.test("a stop string ends responses in both modes, equally in any batch, and does not count as EOS", async () => {
  using directory = new TemporaryDirectory();
  const { dir, policy, prompts } = await makeEvalSetting(directory.path);
  const given = { stop: ["e", " a"], max_new_tokens: 40 }, file = join(dir, "samples.arrow");
  await runEval(dir, { models: { policy }, prompts }, given);
  const before = digestFile(file), samples = readSamples(file);
  const stopped = samples.filter(({ finishReason }) => finishReason === "stop");
  assert(stopped.length > 0, "no response was stopped");
  for (const { response, scores, mode } of stopped) {
    assert(given.stop.some((stop) => response.includes(stop)), `${mode}: ${response}`);
    assertEquals(JSON.parse(scores).eos_rate, 0);
  }
  for (const { response, finishReason } of samples) {
    if (finishReason !== "stop") assert(!given.stop.some((stop) => response.includes(stop)), response);
  }
  await runEval(dir, { models: { policy }, prompts }, { ...given, batch_size: 1 });
  assertEquals(digestFile(file), before);
});

Deno.test("benchmarks add rows with task, version and template in their names; the limit and own rows are used", async () => {
  using home = new TemporaryDirectory();
  const { dir, sft, policy, prompts } = await makeEvalSetting(home.path);
  const rows = join(dir, "rows.jsonl");
  Deno.writeTextFileSync(
    rows,
    `${JSON.stringify({ prompt: "Once upon a", choices: ["time", "quantum"], answer: 0 })}\n` +
      `${JSON.stringify({ prompt: "There was a little", choices: ["xylophone", "girl"], answer: "girl" })}\n`,
  );
  await runEval(dir, { models: { sft, policy }, prompts, benchmark_rows: rows }, {
    benchmark: ["gsm8k_cot_zeroshot", "own"],
    benchmark_limit: 3,
    benchmark_max_new_tokens: 12,
    modes: ["greedy"],
  });
  const found = readEvals(join(dir, "evals.arrow")).filter(({ metric }) => metric.startsWith("benchmark/"));
  assertEquals(found.filter(({ model }) => model === "sft").map(({ metric, n }) => [metric, n]), [
    ["benchmark/gsm8k_cot_zeroshot@3/plain/exact_match,strict-match", 3],
    ["benchmark/gsm8k_cot_zeroshot@3/plain/exact_match,flexible-extract", 3],
    ["benchmark/own@own/plain/acc", 2],
    ["benchmark/own@own/plain/acc_norm", 2],
  ]);
  assertEquals(found.find(({ metric }) => metric.endsWith("/acc"))!.mean, 1);
});

Deno.test("a benchmark that requires rows is refused without them, before any model runs", async () => {
  using home = new TemporaryDirectory();
  const { dir, sft, prompts } = await makeEvalSetting(home.path);
  const error = await assertRejects(
    () => runEval(dir, { models: { sft }, prompts }, { benchmark: ["gpqa_main_zeroshot"] }),
    UsageError,
  );
  assertEquals(error.message, "benchmark=gpqa_main_zeroshot requires the input benchmark_rows, got none");
});
