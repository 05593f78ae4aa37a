/**
 * Runs one stage on a file of very many short rows, with a tiny model, and prints the seconds and the peak memory:
 * `many_rows_program.ts STAGE ROWS DIRECTORY`. Each stage runs in a process of its own, so that the memory is its own.
 * @module
 */
import { join } from "node:path";
import { copyTokenizerFiles, tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import { writeReward } from "@/lib/data/contracts/reward_directory.ts";
import { writeRollouts } from "@/lib/data/contracts/rollouts.ts";
import { writeScored } from "@/lib/data/contracts/scored.ts";
import type { InputPaths } from "@/lib/data/contracts/stage.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { writeModel } from "@/lib/model/models/checkpoint.ts";
import { initialModel } from "@/lib/model/models/initial_model.ts";
import { stages } from "@/lib/app/registry.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { peakMemoryBytes } from "@/tests/bench/process_info.ts";
import { runStage } from "@/tests/support/run_stage.ts";

const [name = "", count = "", home = ""] = Deno.args;
const rows = Number(count), numbers = Array.from({ length: rows }, (_, i) => i);
const tokenizer = join(projectRoot, "fixtures", "stories260k"), digest = tokenizerDigest(tokenizer);
const at = (file: string) => join(home, file);
/** A token id that is not special. */
const word = (i: number) => 10 + i * 7 % 500;

/** Writes a model of one layer with random weights and a tokenizer. */
function writeTinyModel(file: string, seed: number): string {
  Deno.mkdirSync(at(file), { recursive: true });
  const config = JSON.parse(Deno.readTextFileSync(join(tokenizer, "config.json")));
  const sizes = { hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1 };
  const heads = { num_attention_heads: 1, num_key_value_heads: 1, head_dim: 8 };
  Deno.writeTextFileSync(at(`${file}/config.json`), JSON.stringify({ ...config, ...sizes, ...heads }));
  const loaded = initialModel(at(file), seed);
  writeModel(at(file), loaded);
  copyTokenizerFiles(tokenizer, at(file));
  return at(file);
}

/** Writes a reward of one member. */
function writeTinyReward(): string {
  const place = (path: string, seed: number) => {
    writeTinyModel(`reward/${path}`, seed);
    return { path, digest: digestDirectory(at(`reward/${path}`)).digest };
  };
  const members = [place("members/0", 2)], base = place("base", 1);
  const rule = { combine: "mean", floor: null, eosBound: null, lengthNorm: "none" } as const;
  writeReward(at("reward"), { ...rule, members, base, eosIds: [2], calibration: {} });
  return at("reward");
}

async function writePromptRows(): Promise<string> {
  const table = numbers.map((i) => ({ id: `p${i}`, promptIds: Int32Array.of(1, word(i)), meta: "{}" }));
  await writePrompts(at("prompts.arrow"), { rows: table, tokenizerDigest: digest });
  return at("prompts.arrow");
}

/** Returns responses of two tokens, as `rollout` would write them. */
function rollouts() {
  const ids = { promptIds: Int32Array.of(1, 20), responseIds: Int32Array.of(30, 2) };
  const logprobs = Float32Array.of(-6, -6), finishReason = "eos" as const;
  return numbers.map((i) => {
    const row = { id: `0/p${i}/0`, promptId: `p${i}`, sample: 0, ...ids, logprobs, logprobsT1: null };
    return { ...row, responseIds: Int32Array.of(word(i), 2), finishReason, meta: "{}" };
  });
}

async function writeRolloutRows(): Promise<string> {
  await writeRollouts(at("rollouts.arrow"), { rows: rollouts(), tokenizerDigest: digest });
  return at("rollouts.arrow");
}

async function writeScoredRows(): Promise<string> {
  const lists = { sftLogprobs: Float32Array.of(-6, -6), targetLogprobs: Float32Array.of(-5, -6) };
  const table = rollouts().map((row, i) => ({
    ...{ ...row, ...lists, baseLogprobs: Float32Array.of(-6, -6), tokenRewards: Float32Array.of(i % 5, 1) },
    ...{ rawReward: i % 5 + 1, reward: i % 5 + 1, baseNll: 6 },
  }));
  await writeScored(at("scored.arrow"), { rows: table, tokenizerDigest: digest });
  return at("scored.arrow");
}

async function writeTokenRows(): Promise<string> {
  const table = numbers.map((i) => ({
    id: `d${i}`,
    ...{ inputIds: Int32Array.of(1, word(i), 2), lossMask: Uint8Array.of(0, 1, 1), source: `d:${i}` },
  }));
  await writeTokens(at("tokens.arrow"), { rows: table, tokenizerDigest: digest });
  return at("tokens.arrow");
}

interface Case {
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: () => Promise<InputPaths> | InputPaths;
}

const model = () => writeTinyModel("model", 0);

const CASES: Readonly<Record<string, Case>> = {
  tokenize: {
    params: {},
    inputs() {
      using file = Deno.openSync(at("rows.jsonl"), { write: true, create: true, truncate: true });
      for (let begin = 0; begin < rows; begin += 10_000) {
        const lines = numbers.slice(begin, begin + 10_000).map((i) =>
          `{"prompt":"p ${i}","response":"r ${i}"}\n`
        );
        file.writeSync(new TextEncoder().encode(lines.join("")));
      }
      return { demonstrations: at("rows.jsonl"), model: model() };
    },
  },
  score: {
    params: {},
    inputs: async () => ({ rollouts: await writeRolloutRows(), reward: writeTinyReward(), sft: model() }),
  },
  rollout: {
    params: { prompts_per_iteration: 0, max_new_tokens: 1, batch_size: 4096 },
    inputs: async () => ({ prompts: await writePromptRows(), policy: model() }),
  },
  eval: {
    params: { modes: ["sampled"], max_new_tokens: 1, batch_size: 4096, kept_samples: 100_000 },
    inputs: async () => ({
      ...{ prompts: await writePromptRows(), reward: writeTinyReward(), sft: model() },
      ...{ models: { a: at("model") }, validation: await writeTokenRows() },
    }),
  },
  "build-reward": {
    params: { calibration_prompts: rows, samples_per_prompt: 1, max_new_tokens: 1, batch_size: 4096 },
    inputs: async () => ({
      ...{ prompts: await writePromptRows(), base: model() },
      ...{ members: [writeTinyModel("member", 2)], sft: at("member") },
    }),
  },
  sft: {
    params: { epochs: 1, batch_size: 20_000 },
    inputs: async () => ({ tokens: await writeTokenRows(), model: model(), validation: at("tokens.arrow") }),
  },
  "ppo-update": {
    params: { epochs: 1, minibatch_size: Math.ceil(rows / 8) },
    inputs: async () => ({
      scored: await writeScoredRows(),
      policy: model(),
      critic: writeTinyModel("critic", 3),
    }),
  },
};

Deno.mkdirSync(home, { recursive: true });
const { params, inputs } = CASES[name]!;
const startedAt = performance.now(), paths = await inputs();
const writtenAt = performance.now();
const stage = await stages.load(name);
await runStage(stage!, home, { inputs: paths, params });
const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(1);
console.log(
  `${name}: ${rows} rows, ${seconds(startedAt, writtenAt)} s to write them, ` +
    `${seconds(writtenAt, performance.now())} s, peak ${(peakMemoryBytes() / 1e9).toFixed(2)} GB`,
);
