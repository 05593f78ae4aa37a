/** Whether parameters and inputs can hold together, before any model is read. @module */
import type { InputPaths } from "@/lib/contracts/stage.ts";
import { UsageError } from "@/lib/tensor/errors.ts";
import type { Params } from "./params.ts";

/** @throws {UsageError} listing all that cannot hold together @param members how many there are */
export function checkRequest(params: Params, inputs: InputPaths, members: number): void {
  const { combine, length_norm: norm, reward_checkpoint: checkpoint } = params, problems: string[] = [];
  const given = (port: string) => inputs[port] !== undefined && inputs[port].length !== 0;
  const rule = (holds: boolean, message: string) => {
    if (!holds) problems.push(message);
  };
  const needed = combine === "lcb" || combine === "soup" ? 2 : 1;
  rule(
    members >= needed,
    `combine=${combine} needs at least ${needed} ${needed === 1 ? "member" : "members"}: there ${
      members === 1 ? "is" : "are"
    } ${members}`,
  );
  const isChecked = given("checker") || params.checker !== "";
  rule(
    !isChecked || !given("sft") || given("eval_prompts") || given("prompts"),
    "a preflight with a checker needs eval_prompts or prompts: there is neither",
  );
  if (checkpoint === "auto") {
    rule(isChecked, "reward_checkpoint=auto needs a checker");
    rule(combine !== "soup", "reward_checkpoint=auto cannot be together with combine=soup");
    rule(norm !== "target", "reward_checkpoint=auto cannot be together with length_norm=target");
  }
  if (problems.length > 0) throw new UsageError(`Cannot build a reward as ${problems.join("; ")}`);
}
