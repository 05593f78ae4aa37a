/** Inputs and outputs of `tokenize`. @module */
import type { Ports } from "@/lib/data/contracts/stage.ts";

/** Input ports. */
export const inputs = {
  demonstrations: {
    contract: "file",
    description:
      "demonstrations: files (JSON Lines, JSON, CSV, Parquet, Arrow, text), directories or patterns",
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
    description: "a model's responses; the selected ones become demonstrations",
    optional: true,
  },
  model: { contract: "model", description: "the model, for its tokenizer and context length" },
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
  prompts: {
    contract: "prompts@1",
    description: "the given prompts, else the distinct prompts of train",
    optional: true,
  },
  eval_prompts: {
    contract: "prompts@1",
    description: "the given evaluation prompts, else the distinct prompts of validation",
    optional: true,
  },
  pairs: { contract: "pairs@1", description: "preference pairs, unless pairs is none", optional: true },
  report: { contract: "report", description: "report.json: counts, lengths, truncation, three example rows" },
} as const satisfies Ports;
