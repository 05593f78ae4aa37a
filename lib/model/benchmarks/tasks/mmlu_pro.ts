/** MMLU-Pro: the group mmlu_pro of the harness, version 3.1: 5 examples of the question's category, thinking step by step. @module */
import { filteredScorer } from "./filtered_scorer.ts";
import type { BenchmarkDocument, BenchmarkTask } from "./task.ts";
import { strip } from "../python/text.ts";

/** Returns rows with the fields of the templates; examples have `cot_content` too. */
function documents(rows: readonly BenchmarkDocument[]): BenchmarkDocument[] {
  return rows.map((row) => {
    const options = Array.isArray(row.options) ? row.options.map(String).slice(0, 10) : [];
    const lines = options.map((option, i) => `${"ABCDEFGHIJ"[i]}. ${strip(option)}\n`);
    const thoughts = typeof row.cot_content === "string" ? row.cot_content : "";
    return {
      ...row,
      option_lines: lines.join(""),
      thoughts: thoughts.replaceAll("A: Let's think step by step. ", ""),
    };
  });
}

/** The task. */
export const MMLU_PRO: BenchmarkTask = {
  name: "mmlu_pro",
  version: "3.1",
  origin: "lm-evaluation-harness 0.4.13",
  source: { dataset: "TIGER-Lab/MMLU-Pro", split: "test" },
  documents,
  description:
    "The following are multiple choice questions (with answers) about {{category}}. Think step by step and then " +
    'finish your answer with "the answer is (X)" where X is the correct letter choice.\n',
  template: "Question:\n{{question}}\nOptions:\n{{option_lines}}Answer: Let's think step by step.",
  fewShot: {
    count: 5,
    sampler: "first",
    source: { dataset: "TIGER-Lab/MMLU-Pro", split: "validation" },
    group: "category",
    target: "{{thoughts}}",
  },
  groupBy: "category",
  output: {
    kind: "generate",
    stops: ["Question:"],
    maxNewTokens: 2048,
    score: filteredScorer({
      filters: [{ name: "custom-extract", pattern: /answer is \(?([ABCDEFGHIJ])\)?/gu, take: "first" }],
      target: "{{answer}}",
      options: { ignoreCase: true, ignorePunctuation: true },
    }),
  },
};
