/** Runs of the stage `build-reward` on relatives of a small model. @module */
import { join } from "node:path";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import type { InputPaths } from "@/lib/data/contracts/stage.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { checkNeeds } from "@/lib/pipeline/engine/task.ts";
import { stage } from "@/stages/build-reward/main.ts";
import { type Params, params } from "@/stages/build-reward/params.ts";
import { BASE } from "./relatives.ts";

/** Texts of the prompts. */
export const PROMPTS = [
  "Once upon a time, there was a girl named Lucy. She had a book.",
  "Tim saw a big dog. He",
  "One day",
];
/** Parameters of a fast run. */
export const SMALL = { max_new_tokens: 12, samples_per_prompt: 8, preflight_samples: 4 };

/** Writes the prompts and returns the path. */
export async function promptsIn(directory: string): Promise<string> {
  const path = join(directory, "prompts.arrow"), tokenizer = loadTokenizer(BASE);
  const rows = (await tokenizer.encodeAll(PROMPTS)).map((promptIds, i) => ({
    id: `p${i}`,
    promptIds,
    meta: '{"words":["was","and"]}',
  }));
  await writePrompts(path, { rows, tokenizerDigest: tokenizerDigest(BASE) });
  return path;
}

/** Runs the stage; its outputs are in `dir`. */
export async function runStage(
  dir: string,
  inputs: InputPaths,
  given: Partial<Params> = {},
  options: { seed?: number; signal?: AbortSignal; messages?: string[] } = {},
): Promise<void> {
  const parsed = params.parse({ ...SMALL, ...given });
  checkNeeds(stage, parsed, inputs);
  await stage.run({
    params: parsed,
    inputs: { base: BASE, ...inputs },
    outputs: {
      reward: join(dir, "reward"),
      report: join(dir, "report"),
      metrics: join(dir, "metrics.arrow"),
    },
    seed: options.seed ?? 3,
    iteration: 0,
    threads: navigator.hardwareConcurrency,
    signal: options.signal ?? new AbortController().signal,
    progress: ({ message, warning }) => {
      if (message !== undefined) options.messages?.push(message);
      if (warning !== undefined) options.messages?.push(`warning: ${warning}`);
    },
  });
}

interface Report {
  readonly calibration: Readonly<Record<"sft" | "base", Readonly<Record<string, number>>>> | null;
  readonly preflight: Readonly<Record<string, unknown>> | null;
  readonly diagnosis: Readonly<Record<string, number>> | null;
  readonly preference: Readonly<Record<string, number>> | null;
  readonly choice: { chosen: string; candidates: { name: string; gain: number }[]; reason: string } | null;
  readonly sentences: readonly string[];
  readonly warnings: readonly string[];
}

/** Returns the report of a run. */
export function reportOf(dir: string): Report {
  return JSON.parse(Deno.readTextFileSync(join(dir, "report", "report.json")));
}

/** Returns the metrics of a run by name. */
export function metricsOf(dir: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    readMetrics(join(dir, "metrics.arrow")).map(({ name, value }) => [name, value]),
  );
}
