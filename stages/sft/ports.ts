/** Inputs and outputs of `sft`. @module */
import type { Ports, StageContext } from "@/lib/data/contracts/stage.ts";
import type { Params } from "./params.ts";

/** What is trained, and on what. */
export const inputs = {
  tokens: { contract: "tokens@1", description: "demonstrations, for objective nll only", optional: true },
  pairs: { contract: "pairs@1", description: "preference pairs, for dpo and spin only", optional: true },
  reference: {
    contract: "model",
    description: "reference model of dpo and spin; default: the initial model",
    optional: true,
  },
  model: { contract: "model", description: "initial model; if it is a LoRA adapter, the adapter is trained" },
  validation: {
    contract: "tokens@1",
    description: "held-out demonstrations for validation_loss, eval_every and lr=auto",
    optional: true,
  },
  match_updates: {
    contract: "metrics@1",
    description: "metrics of PPO iterations: train for as many updates as PPO made",
    many: "list",
    optional: true,
  },
  lr_of: {
    contract: "metrics@1",
    description: "metrics of a training whose learning rate lr=auto follows",
    optional: true,
  },
} as const satisfies Ports;

/** The trained model and its metrics. */
export const outputs = {
  policy: {
    contract: "model",
    description: "fine-tuned model, or an adapter with its base if lora_rank > 0",
  },
  checkpoints: {
    contract: "models",
    description: "intermediate checkpoints by number of updates, if checkpoint_every > 0",
    optional: true,
  },
  left_out: {
    contract: "tokens@1",
    description: "demonstrations that were not drawn, if subsample < 1",
    optional: true,
  },
  metrics: {
    contract: "metrics@1",
    description:
      "loss, grad_norm, lr, for pairs accuracy, … per update; updates; validation_loss; best checkpoint; trials of lr",
  },
} as const satisfies Ports;

/** What the stage's function receives. */
export type Context = StageContext<Params, typeof inputs, typeof outputs>;
