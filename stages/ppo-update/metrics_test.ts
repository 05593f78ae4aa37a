/** Compares docs/metrics.md with the metrics that the stage writes. @module */
import { assert, assertEquals } from "@std/assert";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { readSamples } from "@/lib/data/contracts/samples.ts";
import { type ScoredRow, writeScored } from "@/lib/data/contracts/scored.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { namesUnder } from "@/tests/docs/markdown.ts";
import { scoredRow } from "@/tests/support/ppo_rows.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { params as schema } from "./params.ts";

const MODEL = "fixtures/stories260k", tokenizer = loadTokenizer(MODEL); // with texts there is distinct_2
const FREE = { max_logprob_gap: null, critic_warmup_iterations: 0, kept_samples: 1, epochs: 1 };

/** Two responses of different length and reward. */
const ROWS: readonly ScoredRow[] = [4, 9].map((count, i) => {
  const logprobs = new Float32Array(count).fill(-2);
  return scoredRow({
    id: `r${i}`,
    responseIds: Int32Array.from({ length: count }, (_, t) => 300 + i * 50 + t * 3),
    logprobs,
    sftLogprobs: logprobs,
    targetLogprobs: logprobs,
    baseLogprobs: logprobs,
    tokenRewards: new Float32Array(count).fill(i),
  });
});

/** Runs an iteration on {@linkcode ROWS}. Returns the outputs and the names of the metrics. */
async function runIteration(directory: TemporaryDirectory, given: Record<string, unknown>, tokens?: string) {
  const scored = directory.file(`${crypto.randomUUID()}.arrow`);
  await writeScored(scored, { rows: ROWS, tokenizerDigest: tokenizerDigest(MODEL) });
  const outputs = await runStage(stage, directory.file(crypto.randomUUID()), {
    inputs: { scored, policy: MODEL, critic: MODEL, ...(tokens === undefined ? {} : { tokens }) },
    params: { ...FREE, ...given },
  });
  return { outputs, names: readMetrics(outputs.metrics!).map(({ name }) => name) };
}

Deno.test("docs/metrics.md defines every metric that iterations write, and no other", async () => {
  using directory = new TemporaryDirectory();
  const tokens = directory.file("tokens.arrow");
  const demonstration = {
    id: "d",
    inputIds: Int32Array.of(1, 300, 301),
    lossMask: Uint8Array.of(0, 0, 1),
    source: "s",
  };
  await writeTokens(tokens, { rows: [demonstration], tokenizerDigest: tokenizerDigest(MODEL) });
  const written = new Set<string>();
  for (
    const given of [
      {},
      { kl_placement: "loss", fluency_budget: 0.1, demo_mix: 0.5 },
      { truncated_value: "bootstrap" },
      { relative_beta: 1 },
      { advantage_estimator: "reinforce", kl_stop_per_token: 1e-9 },
    ]
  ) {
    for (const name of (await runIteration(directory, given, tokens)).names) written.add(name);
  }
  assertEquals([...written].sort(), namesUnder(Deno.readTextFileSync("docs/metrics.md"), "metric").sort());
});

Deno.test("the comparison with other programs names our metrics and parameters", () => {
  const page = Deno.readTextFileSync("docs/metrics.md"), ours = namesUnder(page, "ours");
  const known = new Set([...namesUnder(page, "metric"), ...Object.keys(schema.shape)]);
  assert(ours.length > 50, `${ours.length}`);
  assertEquals(ours.filter((name) => !known.has(name)), []);
});

Deno.test("samples are the first responses as text, with their rewards", async () => {
  using directory = new TemporaryDirectory();
  const samples = readSamples((await runIteration(directory, {})).outputs.samples!);
  assertEquals(samples.map(({ response, model, mode }) => [response, model, mode]), [
    [tokenizer.decode(ROWS[0]!.responseIds, { skipSpecial: true }), "policy", "sampled"],
  ]);
  assertEquals(JSON.parse(samples[0]!.scores), { reward: ROWS[0]!.reward, raw_reward: ROWS[0]!.rawReward });
});
