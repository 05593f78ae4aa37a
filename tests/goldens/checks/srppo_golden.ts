/** golden.json of a whole Self-Rewarding PPO iteration as typed values. @module */
import { join } from "node:path";
import { z } from "zod";
import { readJson } from "@/lib/data/files/json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

const number = z.number(), list = z.array(number), rows = z.array(list);

/** The shape of golden.json. Unknown keys of the settings are refused; other fields beside them are ignored. */
const SrppoGolden = z.object({
  config: z.strictObject({
    beta: number,
    gamma: number,
    lam: number,
    clip: number,
    vf_clip: number,
    lr: number,
    whiten_eps: number,
    temperature: number,
    epochs: z.int().positive(),
    minibatches: z.int().positive(),
    optimizer: z.strictObject({
      betas: z.tuple([number, number]),
      eps: number,
      weight_decay_rank_ge_2: number,
      clip_norm: number.nullable(),
    }),
  }),
  prompts: rows,
  responses: rows,
  permutations: rows,
  sft_logprobs: rows,
  base_logprobs: rows,
  token_log_ratio: rows,
  reward: list,
  old_logprobs: rows,
  kl_k1: rows,
  kl_mean: number,
  rewards: rows,
  values: rows,
  advantages: rows,
  returns: rows,
  advantages_mean: number,
  advantages_var: number,
  whitened_advantages: rows,
  entropy_before: number,
  explained_variance_before: number,
  updates: z.array(z.object({
    rows: list,
    policy_loss: number,
    value_loss: number,
    policy_grad_norm: number,
    value_grad_norm: number,
    clip_fraction: number,
    value_clip_fraction: number,
    approx_kl_k1: number,
    approx_kl_k3: number,
    entropy: number,
    ratio_mean: number,
    ratio_max: number,
    logprobs: rows,
    values: rows,
  })),
  final_logprobs: rows,
  final_values: rows,
});

/** One iteration: its settings and every intermediate value. Rows hold response tokens only. */
export type SrppoGolden = z.output<typeof SrppoGolden>;

/** Returns golden.json of `directory`. @throws {DataError} listing every missing or invalid field */
export function readSrppoGolden(directory: string): SrppoGolden {
  const path = join(directory, "golden.json"), result = SrppoGolden.safeParse(readJson(path));
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new DataError(`${path}: ${listed(problems)}`, { file: path });
}
