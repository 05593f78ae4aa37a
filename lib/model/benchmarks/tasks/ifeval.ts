/** IFEval: task ifeval of the harness, version 4, with the outcomes of Google's original. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { IfevalDocument, ifevalOutcome } from "../ifeval/ifeval_outcome.ts";
import type { BenchmarkTask, Generation } from "./task.ts";

const score: Generation["score"] = (row, response) => {
  const parsed = IfevalDocument.safeParse(row);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new DataError(
      `A document of ifeval must have key, prompt, instruction_id_list and kwargs, got ${problems}`,
    );
  }
  const outcome = ifevalOutcome(parsed.data, response);
  return {
    metrics: {
      prompt_level_strict_acc: Number(outcome.prompt_level_strict_acc),
      inst_level_strict_acc: outcome.inst_level_strict_acc.map(Number),
      prompt_level_loose_acc: Number(outcome.prompt_level_loose_acc),
      inst_level_loose_acc: outcome.inst_level_loose_acc.map(Number),
    },
  };
};

/** The task. */
export const IFEVAL: BenchmarkTask = {
  name: "ifeval",
  version: "4",
  origin: "lm-evaluation-harness 0.4.13",
  source: { file: "ifeval.jsonl", dataset: "google/IFEval", split: "train" },
  template: "{{prompt}}",
  output: { kind: "generate", stops: [], maxNewTokens: 1280, score },
};
