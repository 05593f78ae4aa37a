/** Parameters of `sft`. The defaults are for checkpoints of a few hundred million to a few billion parameters. @module */
import { z } from "zod";
import { SCHEDULES } from "@/lib/model/train/schedule.ts";

/** Fields of the schema. */
const FIELDS = {
  objective: z.enum(["nll", "dpo", "spin"]).default("nll")
    .describe("Training objective: nll (SFT), dpo or spin.")
    .meta({
      source: "DPO: arXiv:2305.18290, eq. 7; SPIN: arXiv:2401.01335, eq. 4.7",
      details:
        "nll: negative log-likelihood of demonstrations. dpo: preference loss of pairs against the reference model. spin: " +
        "self-play; the reference model is the opponent that generated the rejected responses.",
    }),
  beta: z.number().positive().default(0.1)
    .describe("β of DPO (λ of SPIN): strength of the KL constraint.")
    .meta({ unit: "1", source: "arXiv:2305.18290 and arXiv:2401.01335: 0.1" }),
  label_smoothing: z.number().min(0).lt(0.5).default(0)
    .describe("Label smoothing of DPO: assumed probability of a swapped pair.")
    .meta({
      unit: "1",
      source: "arXiv:2305.18290: 0; Mitchell 2023 (conservative DPO): 0.1 for noisy pairs",
    }),
  chosen_nll_coef: z.number().min(0).default(0)
    .describe("Coefficient of the chosen responses' NLL per token, added to the loss.")
    .meta({
      unit: "1",
      source: "arXiv:2305.18290: 0; arXiv:2404.19733: 1, so that chosen responses remain probable",
    }),
  epochs: z.number().positive().max(1_000_000).default(3)
    .describe("Number of epochs over the demonstrations or pairs.")
    .meta({
      unit: "1",
      source: "Zephyr and Tulu 2 train two to three epochs",
      details: "The number of updates is epochs · ⌈rows / batch_size⌉, and at least min_updates.",
    }),
  max_updates: z.int().min(0).max(1_000_000_000).default(0)
    .describe("Number of updates, instead of epochs; 0: use epochs.")
    .meta({ unit: "updates", source: "off; TRL: max_steps" }),
  min_updates: z.int().min(0).max(1_000_000_000).default(0)
    .describe("Minimum number of updates when training by epochs.")
    .meta({
      unit: "updates",
      source: "0: no minimum; the quickstart uses 128",
      details:
        "With few demonstrations, more epochs are needed until the model ends its responses with EOS. Ignored with " +
        "max_updates or match_updates.",
    }),
  batch_size: z.int().positive().max(1_000_000).default(32)
    .describe("Demonstrations or pairs per update.")
    .meta({ unit: "rows", source: "Tulu 2 (arXiv:2311.10702) uses 128, InstructGPT 32 for small sets" }),
  lr: z.union([z.number().positive(), z.literal("auto")]).default(2e-5)
    .describe("Peak learning rate; auto: chosen by trials, or that of lr_of.")
    .meta({
      unit: "1",
      source: "Zephyr (arXiv:2310.16944) and Tulu 2: 2e-5, and 5e-7 for DPO",
      details:
        "auto with the input lr_of: lr_ratio times the learning rate of that training. auto without it: the value of " +
        "lr_values with the lowest validation loss after a trial of lr_trial_updates updates; requires validation.",
    }),
  lr_ratio: z.number().positive().default(1)
    .describe("Learning rate divided by that of lr_of, with lr=auto.")
    .meta({ unit: "1", source: "1: continued SFT trains like SFT; members of a reward use 0.5" }),
  lr_values: z.array(z.number().positive()).min(2).max(20).default([1e-5, 3e-5, 1e-4, 3e-4, 1e-3])
    .describe("Learning rates that lr=auto tries.")
    .meta({
      unit: "1",
      source: "ours: from 1e-5 (7B parameters, Tulu 2: 2e-5) to 1e-3 (the quickstart's 260,000)",
    }),
  lr_trial_updates: z.int().positive().max(1_000_000).default(30)
    .describe("Updates of a trial of lr=auto; at most those of the training.")
    .meta({ unit: "updates", source: "ours: EXPERIMENTS.md compares trials with whole trainings" }),
  schedule: z.enum(SCHEDULES).default("cosine")
    .describe("Learning-rate schedule after the warmup.")
    .meta({ source: "Zephyr: cosine" }),
  warmup_ratio: z.number().min(0).lt(1).default(0.1)
    .describe("Fraction of the updates with linear learning-rate warmup.")
    .meta({ unit: "1", source: "Zephyr: 0.1" }),
  min_lr_ratio: z.number().min(0).max(1).default(0)
    .describe("Final learning rate divided by lr.")
    .meta({ unit: "1", source: "Zephyr: 0" }),
  beta1: z.number().min(0).lt(1).default(0.9).describe("AdamW β₁.")
    .meta({ unit: "1", source: "arXiv:1711.05101" }),
  beta2: z.number().min(0).lt(1).default(0.95).describe("AdamW β₂.")
    .meta({ unit: "1", source: "GPT-3 (arXiv:2005.14165) and Llama: 0.95" }),
  eps: z.number().positive().default(1e-8).describe("AdamW ε.")
    .meta({ unit: "1", source: "PyTorch" }),
  weight_decay: z.number().min(0).default(0).describe(
    "AdamW weight decay, applied to weight matrices only (not norms, biases).",
  )
    .meta({ unit: "1", source: "Zephyr: 0" }),
  max_grad_norm: z.number().positive().default(1).describe("Maximum global gradient norm (clipping).")
    .meta({ unit: "1", source: "Llama: 1" }),
  loss: z.enum(["response", "all"]).default("response")
    .describe("Supervised tokens: those of the loss mask, or all (pretraining).")
    .meta({ source: "response: usual for SFT" }),
  pack: z.boolean().default(false)
    .describe("Pack rows into blocks of pack_length tokens, for pretraining.")
    .meta({
      source: "off; used for GPT-2 and llama2.c",
      details:
        "Rows are concatenated, each with its EOS token at the end. Tokens attend to earlier rows of the same block, so loss must be all.",
    }),
  pack_length: z.union([z.literal(0), z.int().min(2).max(100_000_000)]).default(0)
    .describe("Length of a packed block; 0: the model's context length.")
    .meta({ unit: "tokens", source: "0: GPT-2 and llama2.c use the whole context" }),
  subsample: z.number().gt(0).max(1).default(1)
    .describe("Fraction of the rows to train on, drawn without replacement.")
    .meta({ unit: "1", source: "1: all rows; members of a bagged reward use 0.5" }),
  lora_rank: z.int().min(0).max(65_536).default(0)
    .describe("Rank r of a new LoRA adapter; 0: no new adapter.")
    .meta({
      unit: "1",
      source: "0: none; PEFT's default for adapters is 8",
      details: "With 0, all weights are trained; if the input model is an adapter, only the adapter is.",
    }),
  lora_alpha: z.number().positive().default(16)
    .describe("LoRA α; the adapter is scaled by α/r.")
    .meta({ unit: "1", source: "ours: twice PEFT's default rank of 8; PEFT: 8" }),
  lora_target_modules: z.array(z.string().min(1)).min(1).default(["all-linear"])
    .describe("Linear modules to which adapters are added, such as q_proj, or all-linear.")
    .meta({
      source: "QLoRA (arXiv:2305.14314, §4): adapters on all linear layers match full fine-tuning",
      details:
        "Each name is the last part of a module name; all-linear means every linear layer except the output layer.",
    }),
  use_rslora: z.boolean().default(false)
    .describe("Rank-stabilized LoRA: scale the adapter by α/√r.")
    .meta({ source: "PEFT; arXiv:2312.03732" }),
  eval_every: z.number().min(0).max(1_000_000_000).refine((value) => value < 1 || Number.isInteger(value), {
    error: ({ input }) => `must be a whole number or below 1, got ${input}`,
  }).default(0)
    .describe("Updates between validation losses; below 1: fraction of all; 0: off.")
    .meta({
      unit: "updates",
      source: "off, as eval_strategy of transformers; its eval_steps has the same values",
      details:
        "With 0, the validation loss is computed once, at the end. Otherwise also after the last update. Requires " +
        "validation, and objective nll.",
    }),
  load_best_model_at_end: z.boolean().default(true)
    .describe("Output the checkpoint with the lowest validation loss, with eval_every.")
    .meta({
      source: "ours: true; transformers: false",
      details: "false: output the final weights. Has no effect with eval_every=0.",
    }),
  early_stopping_patience: z.int().min(0).max(1_000_000).default(0)
    .describe("Stop after this many validation losses without a new minimum; 0: never.")
    .meta({
      unit: "evaluations",
      source: "off; transformers' EarlyStoppingCallback: 1",
      details: "Counted as by EarlyStoppingCallback with threshold 0. Requires eval_every.",
    }),
  checkpoint_every: z.int().min(0).default(0)
    .describe("Number of updates between intermediate checkpoints; 0: no checkpoints.")
    .meta({ unit: "updates", source: "off" }),
  micro_batch_tokens: z.int().positive().max(100_000_000).default(1024)
    .describe("Maximum tokens per forward and backward pass, padding included.")
    .meta({ unit: "tokens", source: "ours: larger micro-batches exceed the CPU cache and are slower" }),
} as const;

/** Strict schema of the stage's parameters. */
export const params = z.strictObject(FIELDS).superRefine((given, context) => {
  for (const [name, message] of conflicts(given)) {
    context.addIssue({ code: "custom", path: [name], message });
  }
});

/** Checked parameters. */
export type Params = z.output<typeof params>;

/** Returns the parameters that exclude each other: the one to change, and what it must be. */
function conflicts(
  { objective, pack, loss, eval_every, early_stopping_patience }: Params,
): [keyof Params, string][] {
  const packed =
    `must be false with loss=${loss}: the documents of a block attend to each other, which is for pretraining (loss=all)`;
  return [
    ...(pack && loss !== "all" ? [["pack", packed] as const] : []),
    ...(objective !== "nll" && eval_every > 0
      ? [["eval_every", `must be 0 with objective=${objective}: validation losses are those of nll`] as const]
      : []),
    ...(early_stopping_patience > 0 && eval_every === 0
      ? [["early_stopping_patience", "must be 0 with eval_every=0: nothing is evaluated"] as const]
      : []),
  ].map(([name, message]) => [name, message]);
}
