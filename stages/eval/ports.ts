/** Inputs and outputs of `eval`. @module */
import type { Ports, StageContext } from "@/lib/data/contracts/stage.ts";
import type { Params } from "./params.ts";

/** Models, prompts, and sources of metrics. */
export const inputs = {
  models: { contract: "model", description: "models to compare, by name", many: "map" },
  prompts: { contract: "prompts@1", description: "prompts to sample responses to", evidence: true },
  reward: { contract: "reward", description: "reward directory, for the metric reward", optional: true },
  base: {
    contract: "model",
    description: "base model, for base_nll; default: the base of the reward",
    optional: true,
  },
  sft: { contract: "model", description: "SFT model, for kl_to_sft", optional: true },
  validation: {
    contract: "tokens@1",
    description: "held-out demonstrations, for validation_nll",
    optional: true,
    evidence: true,
  },
  audit: {
    contract: "model",
    description: "SFT model of demonstrations that nothing else was trained on, for audit_reward",
    optional: true,
    evidence: true,
  },
  judge: {
    contract: "model",
    description: "any language model, for judge_nll: the fluency of the responses",
    optional: true,
  },
  benchmark_rows: {
    contract: "file",
    description: "rows of the benchmark own or of GPQA, as deno task evaluate reads them",
    optional: true,
  },
  checker: {
    contract: "file",
    description: "module that exports check(), instead of the parameter checker",
    optional: true,
  },
} as const satisfies Ports;

/** Metrics and responses. */
export const outputs = {
  evals: { contract: "evals@1", description: "metrics by model and decoding mode" },
  differences: {
    contract: "differences@1",
    description: "differences between models on the same prompts, with 95 % intervals",
    optional: true,
  },
  samples: { contract: "samples@1", description: "responses to the first prompts, with their metrics" },
} as const satisfies Ports;

/** What the stage's function receives. */
export type Context = StageContext<Params, typeof inputs, typeof outputs>;
