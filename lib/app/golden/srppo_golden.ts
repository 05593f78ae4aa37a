/** golden.json of a whole Self-Rewarding PPO iteration as typed values. @module */
import { join } from "node:path";
import { z } from "zod";
import { readJson } from "@/lib/files/json.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { listed } from "@/lib/tensor/listed.ts";

const number = z.number(), list = z.array(number), rows = z.array(list);

/** Returns a shape in which all `names` have the same schema. */
function shape<N extends string, S extends z.ZodType>(schema: S, names: readonly N[]): Record<N, S> {
  return Object.fromEntries(names.map((name) => [name, schema])) as Record<N, S>;
}

const settings = {
  ...shape(number, ["beta", "gamma", "lam", "clip", "vf_clip", "lr", "whiten_eps", "temperature"]),
  ...shape(z.int().positive(), ["epochs", "minibatches"]),
};
const updateMetrics = {
  ...shape(number, ["policy_loss", "value_loss", "policy_grad_norm", "value_grad_norm", "clip_fraction"]),
  ...shape(number, [
    "value_clip_fraction",
    "approx_kl_k1",
    "approx_kl_k3",
    "entropy",
    "ratio_mean",
    "ratio_max",
  ]),
  ...shape(rows, ["logprobs", "values"]),
};
const values = {
  ...shape(rows, [
    "prompts",
    "responses",
    "permutations",
    "sft_logprobs",
    "base_logprobs",
    "token_log_ratio",
  ]),
  ...shape(rows, [
    "old_logprobs",
    "kl_k1",
    "rewards",
    "values",
    "advantages",
    "returns",
    "whitened_advantages",
  ]),
  ...shape(rows, ["final_logprobs", "final_values"]),
  ...shape(number, [
    "kl_mean",
    "advantages_mean",
    "advantages_var",
    "entropy_before",
    "explained_variance_before",
  ]),
};

/** The shape of golden.json. Unknown keys of the settings are refused; other fields beside them are ignored. */
const SrppoGolden = z.object({
  config: z.strictObject({
    ...settings,
    optimizer: z.strictObject({
      betas: z.tuple([number, number]),
      eps: number,
      weight_decay_rank_ge_2: number,
      clip_norm: number.nullable(),
    }),
  }),
  ...values,
  reward: list,
  updates: z.array(z.object({ rows: list, ...updateMetrics })),
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
