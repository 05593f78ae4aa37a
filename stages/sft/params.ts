/** Parameters of `sft`. The defaults are for real checkpoints of a few hundred million to a few billion parameters. @module */
import { z } from "zod";
import { SCHEDULES } from "@/lib/train/schedule.ts";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({
  objective: z.enum(["nll", "dpo", "spin"]).default("nll")
    .describe(
      "What is made smaller: nll, the negative log-likelihood of demonstrations; dpo, the preference loss of pairs against " +
        "the reference; spin, self-play, with the reference as the opponent whose answers are rejected.",
    )
    .meta({ source: "DPO: arXiv:2305.18290, eq. 7; SPIN: arXiv:2401.01335, eq. 4.7" }),
  beta: z.number().positive().default(0.1)
    .describe("How strongly dpo and spin hold the policy to the reference; SPIN calls it λ.")
    .meta({ unit: "1", source: "arXiv:2305.18290 and arXiv:2401.01335: 0.1" }),
  label_smoothing: z.number().min(0).lt(0.5).default(0)
    .describe("Probability, as dpo assumes it, that a pair is labelled the wrong way round.")
    .meta({
      unit: "1",
      source: "arXiv:2305.18290: 0; Mitchell 2023 (conservative DPO): 0.1 for noisy pairs",
    }),
  chosen_nll_coef: z.number().min(0).default(0)
    .describe("Weight of the chosen answers' mean negative log-likelihood per token, added to dpo or spin.")
    .meta({
      unit: "1",
      source: "arXiv:2305.18290: 0; arXiv:2404.19733 takes 1, so that chosen answers stay likely",
    }),
  epochs: z.number().positive().default(3)
    .describe(
      "Passes over the demonstrations or pairs; the number of updates is epochs · ⌈rows / batch_size⌉, or min_updates.",
    )
    .meta({ unit: "1", source: "Zephyr and Tulu 2 train two to three epochs" }),
  max_updates: z.int().min(0).default(0)
    .describe("Number of updates, instead of epochs. 0: by epochs.")
    .meta({ unit: "updates", source: "0 = by epochs" }),
  min_updates: z.int().min(0).default(0)
    .describe(
      "Least number of updates: a few demonstrations are passed over more often than `epochs` says, until the model has " +
        "learned to end its answers. max_updates and matched runs do not look at it.",
    )
    .meta({ unit: "updates", source: "0: none; the quickstart's task takes 128" }),
  batch_size: z.int().positive().default(32)
    .describe("Demonstrations or pairs per update.")
    .meta({ unit: "rows", source: "Tulu 2 (arXiv:2311.10702) uses 128, InstructGPT 32 for small sets" }),
  lr: z.number().positive().default(2e-5)
    .describe("Highest learning rate. For pairs, a fortieth of it is usual.")
    .meta({ unit: "1", source: "Zephyr (arXiv:2310.16944) and Tulu 2: 2e-5, and 5e-7 for DPO" }),
  schedule: z.enum(SCHEDULES).default("cosine")
    .describe("Shape of the learning rate after the warm-up.")
    .meta({ source: "Zephyr: cosine" }),
  warmup_ratio: z.number().min(0).lt(1).default(0.1)
    .describe("Share of the updates in which the learning rate rises from lr/w to lr.")
    .meta({ unit: "1", source: "Zephyr: 0.1" }),
  min_lr_ratio: z.number().min(0).max(1).default(0)
    .describe("Last learning rate as a share of lr.")
    .meta({ unit: "1", source: "Zephyr: 0" }),
  beta1: z.number().min(0).lt(1).default(0.9).describe("AdamW's decay of the first moment.")
    .meta({ unit: "1", source: "arXiv:1711.05101" }),
  beta2: z.number().min(0).lt(1).default(0.95).describe("AdamW's decay of the second moment.")
    .meta({ unit: "1", source: "GPT-3 (arXiv:2005.14165) and Llama: 0.95" }),
  eps: z.number().positive().default(1e-8).describe("AdamW's ε, added after the root.")
    .meta({ unit: "1", source: "PyTorch" }),
  weight_decay: z.number().min(0).default(0).describe("Decoupled decay, on matrices.")
    .meta({ unit: "1", source: "Zephyr: 0" }),
  max_grad_norm: z.number().positive().default(1).describe("Gradients are scaled down to this global norm.")
    .meta({ unit: "1", source: "Llama: 1" }),
  loss: z.enum(["response", "all"]).default("response")
    .describe("Which tokens are learned: those of the loss mask, or every token (pretraining).")
    .meta({ source: "the usual for SFT" }),
  pack: z.boolean().default(false)
    .describe(
      "Whether rows are joined and cut to pieces of pack_length, for pretraining: documents follow one another after their " +
        "end tokens, and tokens attend across.",
    )
    .meta({ source: "GPT-2 and llama2.c pack so" }),
  pack_length: z.union([z.literal(0), z.int().min(2)]).default(0)
    .describe("Length of a packed piece. 0: the model's context.")
    .meta({ unit: "tokens", source: "0 = the whole context" }),
  subsample: z.number().gt(0).max(1).default(1)
    .describe(
      "Share of the demonstrations or pairs that is trained on, drawn without replacement by the seed.",
    )
    .meta({ unit: "1", source: "1 = all; members of a bagged reward take 0.5" }),
  lora_rank: z.int().min(0).default(0)
    .describe(
      "Rank r of a LoRA adapter that is trained in place of the model's weights. 0: all weights, or the adapter that the model is.",
    )
    .meta({ unit: "1", source: "0 = none; PEFT's default for adapters is 8" }),
  lora_alpha: z.number().positive().default(16)
    .describe("α of the adapter's scale α/r.")
    .meta({ unit: "1", source: "twice PEFT's default rank; PEFT's own default is 8" }),
  lora_target_modules: z.array(z.string().min(1)).min(1).default(["all-linear"])
    .describe(
      "Last parts of the names of the linear maps that get an adapter, such as q_proj; all-linear is every one but the output.",
    )
    .meta({ source: "QLoRA (arXiv:2305.14314, §4): adapters on all linear layers match full fine-tuning" }),
  use_rslora: z.boolean().default(false)
    .describe("Whether the adapter's scale is α/√r.")
    .meta({ source: "PEFT; arXiv:2312.03732" }),
  checkpoint_every: z.int().min(0).default(0)
    .describe("A model is kept under checkpoints/ after every so many updates. 0: none.")
    .meta({ unit: "updates", source: "0 = none" }),
  micro_batch_tokens: z.int().positive().default(1024)
    .describe(
      "Tokens, padding included, that go through the model at a time; a batch is cut into such pieces.",
    )
    .meta({ unit: "tokens", source: "measured: larger pieces leave the cache and are slower on CPUs" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
