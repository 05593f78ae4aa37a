/** Tests what a verdict is based on: differences over all prompts, the audit reward, the judge. @module */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { readDifferences } from "@/lib/data/contracts/differences.ts";
import { readEvals } from "@/lib/data/contracts/evals.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { readPrompts } from "@/lib/data/contracts/prompts.ts";
import { readSamples } from "@/lib/data/contracts/samples.ts";
import { digestFile } from "@/lib/data/files/digest.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { evalRowOf, evaluatedModels, makeEvalSetting, runEval } from "@/tests/support/eval_setting.ts";
import { BASE, writeRelative } from "@/tests/support/relatives.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

Deno.test("differences are paired over all prompts, not over the stored samples", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, policy, prompts, reward } = await makeEvalSetting(directory.path);
  const inputs = { models: { sft, policy }, prompts, reward };
  const files = ["differences", "evals"].map((name) => join(dir, `${name}.arrow`));
  await runEval(dir, inputs, { kept_samples: 0, checker: "words" });
  const before = files.map(digestFile), samples = readSamples(join(dir, "samples.arrow"));
  const rows = readDifferences(files[0]!).filter(({ metric }) => metric === "reward");
  assertEquals(rows.map(({ model, against, mode, n, method }) => [model, against, mode, n, method]), [
    ["policy", "sft", "greedy", 3, "paired"],
    ["policy", "sft", "sampled", 3, "paired"],
  ]);
  const rewards = (name: string) =>
    samples.filter(({ model, mode }) => model === name && mode === "greedy").map(({ scores }) =>
      JSON.parse(scores).reward as number
    );
  const ofSft = rewards("sft"), gains = rewards("policy").map((x, i) => x - ofSft[i]!);
  const mean = gains.reduce((a, b) => a + b, 0) / 3;
  const half = 4.30265 * Math.sqrt(gains.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2 / 3);
  assertAlmostEquals(rows[0]!.mean, mean, 1e-6);
  assertAlmostEquals(rows[0]!.low!, mean - half, 1e-4);
  assertAlmostEquals(rows[0]!.high!, mean + half, 1e-4);
  await runEval(dir, inputs, { kept_samples: 1, checker: "words" });
  assertEquals(files.map(digestFile), before, "what is stored of the responses must not change a difference");
});

Deno.test("distinct-2 has a standard error, of the bootstrap over prompts", async () => {
  using directory = new TemporaryDirectory();
  const { evals } = await evaluatedModels(await makeEvalSetting(directory.path));
  assert(evals.filter(({ metric }) => metric === "distinct_2").every(({ stderr }) => stderr > 0));
});

Deno.test("the audit reward has the guards of the trained reward, and the audit model as its only member", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, policy, prompts, reward } = await makeEvalSetting(directory.path);
  const audit = writeRelative(dir, "audit", 0.015);
  await runEval(dir, { models: { policy }, prompts, reward, sft, audit }, { kept_samples: 0 });
  const { model, parameters } = loadModel(audit), base = loadModel(BASE);
  const networks = [new Network(model, parameters), new Network(base.model, base.parameters)];
  const tokenizer = loadTokenizer(BASE), { rows } = readPrompts(prompts);
  const samples = readSamples(join(dir, "samples.arrow")).filter(({ mode }) => mode === "sampled");
  for (const { promptId, response, scores, finishReason } of samples) {
    const { promptIds } = rows.find(({ id }) => id === promptId)!;
    const body = [...await tokenizer.encode(response, { special: false })];
    const responseIds = finishReason === "eos" ? [...body, 2] : body;
    const found = JSON.parse(scores);
    if (found.response_length !== responseIds.length) continue; // other ids decode to the same text
    const ids = [...promptIds, ...responseIds], targets = targetsFrom(promptIds.length, ids.length);
    const [ofAudit, ofBase] = networks.map((network) => tokenLogprobs(network, [{ ids, targets }])[0]!);
    const rewards = responseIds.map((id, t) => {
      const ratio = ofAudit![t]! - ofBase![t]!;
      return id === 2 ? Math.max(-2, Math.min(2, ratio)) : ofBase![t]! > -3 ? ratio : 0;
    });
    const sum = rewards.reduce((a, b) => a + b, 0), last = finishReason === "eos" ? rewards.at(-1)! : 0;
    assertAlmostEquals(found.audit_reward, sum, 1e-3);
    assertAlmostEquals(found.audit_reward_without_eos, sum - last, 1e-3);
  }
  const lone = await assertRejects(() => runEval(dir, { models: { policy }, prompts, audit }), UsageError);
  assertEquals(
    lone.message,
    "input audit requires input reward, whose guards apply to the audit reward too",
  );
});

Deno.test("a judge reads the text of the responses in both modes, and may have another tokenizer", async () => {
  using directory = new TemporaryDirectory();
  const { dir, sft, policy, prompts } = await makeEvalSetting(directory.path);
  const foreign = writeRelative(dir, "foreign", 0.01), other = "fixtures/goldens/chat_templates/zephyr";
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    Deno.copyFileSync(join(other, file), join(foreign, file));
  }
  assert(tokenizerDigest(foreign) !== tokenizerDigest(BASE));
  for (const judge of [BASE, foreign]) {
    await runEval(dir, { models: { sft, policy }, prompts, judge }, { kept_samples: 0 });
    const evals = readEvals(join(dir, "evals.arrow")), samples = readSamples(join(dir, "samples.arrow"));
    const tokenizer = loadTokenizer(judge), { model, parameters } = loadModel(judge);
    const network = new Network(model, parameters);
    for (const mode of ["greedy", "sampled"]) {
      let sum = 0, tokens = 0;
      for (const { response } of samples.filter((row) => row.model === "policy" && row.mode === mode)) {
        const start = tokenizer.bosId === null ? [] : [tokenizer.bosId];
        const ids = [...start, ...await tokenizer.encode(response.trim(), { special: false })];
        if (ids.length < 2) continue;
        const [logprobs] = tokenLogprobs(network, [{ ids, targets: targetsFrom(1, ids.length) }]);
        sum -= logprobs!.reduce((a, b) => a + b, 0);
        tokens += logprobs!.length;
      }
      const found = evalRowOf(evals, "policy", mode, "judge_nll");
      assertAlmostEquals(found.mean, sum / tokens, 1e-4);
      assert(found.stderr > 0);
    }
  }
});
