/** Models, prompts and a reward for tests of the eval stage. @module */
import { assert } from "@std/assert";
import { join } from "node:path";
import { type EvalRow, readEvals } from "@/lib/data/contracts/evals.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import { writeReward } from "@/lib/data/contracts/reward_directory.ts";
import { readSamples } from "@/lib/data/contracts/samples.ts";
import type { InputPaths, StageProgress } from "@/lib/data/contracts/stage.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { stage } from "@/stages/eval/main.ts";
import { type Params, params } from "@/stages/eval/params.ts";
import { BASE, writeRelative } from "./relatives.ts";

/** Texts of the prompts. */
export const PROMPTS = [
  "Once upon a time, there was a girl named Lucy. She had a book.",
  "Tim saw a big dog. He",
  "One day",
];
/** Words that the checker looks for, by prompt. */
export const WORDS = [["Lucy", "book"], ["Tim", "dog"], ["day", "sun"]];

const GUARDS = { floor: -3, eosBound: 2, combine: "mean", lengthNorm: "mean" } as const;

/** Models, prompts and a reward of two members with guards, in a temporary directory. */
export interface EvalSetting {
  readonly dir: string;
  readonly sft: string;
  readonly policy: string;
  readonly prompts: string;
  readonly reward: string;
}

/** Writes the models, prompts and reward. */
export async function makeEvalSetting(dir: string): Promise<EvalSetting> {
  const sft = writeRelative(dir, "sft", 0.01), policy = writeRelative(dir, "policy", 0.02);
  const tokenizer = loadTokenizer(BASE), prompts = join(dir, "prompts.arrow"), reward = join(dir, "reward");
  const rows = (await tokenizer.encodeAll(PROMPTS)).map((promptIds, i) => ({
    id: `p${i}`,
    promptIds,
    meta: JSON.stringify({ words: WORDS[i] }),
  }));
  await writePrompts(prompts, { rows, tokenizerDigest: tokenizerDigest(BASE) });
  const place = (from: string, name: string) => {
    const path = join(reward, name);
    Deno.mkdirSync(path, { recursive: true });
    for (const file of Object.keys(digestDirectory(from).files)) {
      Deno.copyFileSync(join(from, file), join(path, file));
    }
    return { path: name, digest: digestDirectory(path).digest };
  };
  const members = [place(sft, "members/0"), place(policy, "members/1")], base = place(BASE, "base");
  writeReward(reward, { ...GUARDS, members, base, eosIds: [2], calibration: {} });
  return { dir, sft, policy, prompts, reward };
}

/** Runs the stage; its outputs are in `dir`, named after their ports. */
export function runEval(
  dir: string,
  inputs: InputPaths,
  given: Partial<Params> = {},
  options: { seed?: number; signal?: AbortSignal; progress?: (p: StageProgress) => void } = {},
): Promise<void> {
  return stage.run({
    params: params.parse({ max_new_tokens: 16, ...given }),
    inputs,
    outputs: Object.fromEntries(
      Object.keys(stage.outputs).map((port) => [port, join(dir, `${port}.arrow`)]),
    ),
    seed: options.seed ?? 7,
    iteration: 0,
    threads: navigator.hardwareConcurrency,
    signal: options.signal ?? new AbortController().signal,
    progress: options.progress ?? (() => {}),
  });
}

/** Returns the row of a metric, which must exist. */
export function evalRowOf(rows: readonly EvalRow[], model: string, mode: string, metric: string): EvalRow {
  const row = rows.find((r) => r.model === model && r.mode === mode && r.metric === metric);
  assert(row, `${model} ${mode} ${metric}`);
  return row;
}

/** Returns the outputs of a stage run of three models. */
export async function evaluatedModels(setting: EvalSetting, given: Partial<Params> = {}) {
  const { dir, sft, policy, prompts, reward } = setting;
  const inputs = { models: { base: BASE, sft, policy }, prompts, reward, sft, base: BASE };
  await runEval(dir, inputs, { checker: "words", ...given });
  return { evals: readEvals(join(dir, "evals.arrow")), samples: readSamples(join(dir, "samples.arrow")) };
}
