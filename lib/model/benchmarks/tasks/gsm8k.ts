/** GSM8K, with 5 examples and without: tasks gsm8k and gsm8k_cot_zeroshot of the harness, version 3. @module */
import { NUMBER_FORMATS } from "../filters/exact_match.ts";
import { filteredScorer, type NamedFilter } from "./filtered_scorer.ts";
import type { BenchmarkTask, Generation } from "./task.ts";

const FLEXIBLE: NamedFilter = {
  name: "flexible-extract",
  pattern: /(-?[$0-9.,]{2,})|(-?[0-9]+)/gu,
  take: "last",
};

function generation(stop: string, strict: RegExp): Generation {
  const filters: readonly NamedFilter[] = [
    { name: "strict-match", pattern: strict, take: "first" },
    FLEXIBLE,
  ];
  return {
    kind: "generate",
    stops: [stop, "</s>", "<|im_end|>"],
    maxNewTokens: 256,
    score: filteredScorer({
      filters,
      target: "{{answer}}",
      options: { ignored: NUMBER_FORMATS, ignoreCase: true },
    }),
  };
}

const SHARED = {
  version: "3",
  origin: "lm-evaluation-harness 0.4.13",
  source: { file: "gsm8k_test.jsonl", dataset: "openai/gsm8k", split: "test", configuration: "main" },
} as const;

/** 5-shot. */
export const GSM8K: BenchmarkTask = {
  ...SHARED,
  name: "gsm8k",
  template: "Question: {{question}}\nAnswer:",
  fewShot: {
    count: 5,
    sampler: "random",
    source: { ...SHARED.source, file: "gsm8k_train.jsonl", split: "train" },
    target: "{{answer}}",
  },
  output: generation("Question:", /#### (-?[0-9.,]+)/gu),
};

/** Without examples, thinking step by step. */
export const GSM8K_COT_ZEROSHOT: BenchmarkTask = {
  ...SHARED,
  name: "gsm8k_cot_zeroshot",
  template: "Q: {{question}}\nA: Let's think step by step.",
  output: generation("Q:", /The answer is (-?[0-9.,]+)[^\n]/gu),
};
