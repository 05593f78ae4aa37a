/** Inputs and outputs of `tokenize`. @module */
import type { Ports } from "@/lib/data/contracts/stage.ts";

/** Input ports. */
export const inputs = {
  demonstrations: {
    contract: "file",
    description:
      "files with demonstrations (JSON Lines, JSON, CSV, Parquet, Arrow, text), directories, or glob patterns",
    many: "list",
    optional: true,
  },
  prompts: { contract: "file", description: "prompts for training, in the same formats", optional: true },
  eval_prompts: {
    contract: "file",
    description: "prompts for evaluation, in the same formats",
    optional: true,
  },
  rollouts: {
    contract: ["rollouts@1", "scored@1"],
    description: "responses sampled from a model; selected ones become demonstrations (select)",
    optional: true,
  },
  model: { contract: "model", description: "model whose tokenizer and context length are used" },
} as const satisfies Ports;

/** Output ports. */
export const outputs = {
  train: {
    contract: "tokens@1",
    description: "demonstrations for training, if there are any",
    optional: true,
  },
  validation: {
    contract: "tokens@1",
    description: "held-out demonstrations, unless validation_fraction is 0",
    optional: true,
  },
  audit: {
    contract: "tokens@1",
    description: "demonstrations set aside for an audit, unless audit_fraction is 0 or there are too few",
    optional: true,
  },
  prompts: {
    contract: "prompts@1",
    description: "encoded prompts of the input prompts; without it, the distinct prompts of train",
    optional: true,
  },
  eval_prompts: {
    contract: "prompts@1",
    description: "encoded prompts of the input eval_prompts; without it, the distinct prompts of validation",
    optional: true,
  },
  selection_prompts: {
    contract: "prompts@1",
    description: "evaluation prompts for decisions inside loops, unless selection_fraction is 0",
    optional: true,
  },
  pairs: {
    contract: "pairs@1",
    description: "preference pairs, unless the parameter pairs is none",
    optional: true,
  },
  report: {
    contract: "report",
    description: "directory with report.json: counts, lengths, truncation, three example rows",
  },
} as const satisfies Ports;
