/** Checks that parameters and inputs are consistent, before any model is read. @module */
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import type { Params } from "./params.ts";
import type { Context } from "./ports.ts";

/**
 * Checks parameters and inputs.
 * @param members their number
 * @throws {UsageError} listing all that is inconsistent
 */
export function checkRequest(params: Params, inputs: Context["inputs"], members: number): void {
  const { combine, length_norm: norm, reward_checkpoint: checkpoint } = params, problems: string[] = [];
  const rule = (holds: boolean, message: string) => {
    if (!holds) problems.push(message);
  };
  const needed = combine === "lcb" || combine === "soup" ? 2 : 1;
  rule(
    members >= needed,
    `combine=${combine} requires at least ${needed} member${needed === 1 ? "" : "s"}, got ${members}`,
  );
  const { sft, prompts, eval_prompts = prompts } = inputs;
  const isChecked = inputs.checker !== undefined || params.checker !== "";
  rule(
    !isChecked || sft === undefined || eval_prompts !== undefined,
    "a checker requires the input eval_prompts or prompts",
  );
  rule(
    params.base_weight !== "auto" || params.samples_per_prompt >= 2,
    `base_weight=auto requires samples_per_prompt of at least 2, got ${params.samples_per_prompt}`,
  );
  const files = inputs.held_out?.length ?? 1;
  rule(
    files === 1 || files === members,
    `held_out must be one file, or one for each of the ${members} members in their order, got ${files}`,
  );
  if (checkpoint === "auto") {
    rule(isChecked, "reward_checkpoint=auto requires a checker");
    rule(combine !== "soup", "reward_checkpoint=auto cannot be combined with combine=soup");
    rule(norm !== "target", "reward_checkpoint=auto cannot be combined with length_norm=target");
    rule(params.base_weight !== "auto", "reward_checkpoint=auto cannot be combined with base_weight=auto");
  }
  if (problems.length > 0) throw new UsageError(`Invalid parameters and inputs: ${problems.join("; ")}`);
}
