/**
 * Runs every computing stage of a small pipeline on a device, each on the files that the processor's run had, and compares
 * what it writes.
 * @module
 */
import { stages } from "@/lib/app/registry.ts";
import { runTask } from "@/lib/pipeline/engine/task.ts";
import { SmallQuickstart } from "@/tests/e2e/small_quickstart.ts";
import { taskOf } from "@/tests/e2e/stage_alone.ts";
import { assertOutputsClose } from "./compare_outputs.ts";

/** Each stage once, and a second iteration, which starts from a state. */
export const TINY_SETTINGS = [
  ...["sft.max_updates=2", "sft.batch_size=4", "members.count=1", "members.sft.max_updates=2"],
  ...["members.sft.batch_size=4", "reward.max_new_tokens=4", "reward.calibration_prompts=2", "ppo.count=2"],
  ...["ppo.rollout.prompts_per_iteration=4", "ppo.rollout.max_new_tokens=4", "ppo.update.minibatch_size=4"],
  ...["ppo.update.critic_warmup_iterations=0", "ppo.update.lr_warmup_iterations=1"],
  ...["continued.batch_size=4", "eval.max_new_tokens=4"],
  // A gradient that is only rounding would become a step of the learning rate: AdamW divides it by its own size.
  ...["sft.eps=1e-4", "members.sft.eps=1e-4", "ppo.update.eps=1e-4"],
];

/** Flags of the smallest pipeline with all stages. */
export const TINY_FLAGS = TINY_SETTINGS.flatMap((setting) => ["--set", setting]);

/**
 * Its rows: a software driver is slow. An interval of two evaluation prompts would be 12.7 standard errors wide (Student's
 * t), and rounding in it as much larger.
 */
export const TINY_ROWS = { demonstrations: 8, prompts: 4, evalPrompts: 4 };

/** Nodes of the run that compute, one per stage and one iteration more. */
export const COMPUTING = [
  ...["sft", "reward", "ppo.rollout[0]", "ppo.score[0]", "ppo.update[0]", "ppo.update[1]", "eval"],
];

/** How far a number may be from the processor's. */
const TOLERANCE = 1e-4;

/** Runs the nodes on the device of this name and compares all outputs with those of the processor. */
export async function compareStages(device: string, nodes: readonly string[] = COMPUTING): Promise<void> {
  using quickstart = new SmallQuickstart(TINY_ROWS);
  await quickstart.run("cpu", ...TINY_FLAGS, "--executor", "process");
  for (const node of nodes) {
    const { task, outputs } = await taskOf(quickstart, "cpu", node, `on-device/${node}`);
    const stage = await stages.load(task.stage), signal = new AbortController().signal;
    await runTask(stage, { ...task, device }, { signal, progress: () => {} });
    for (const [port, path] of Object.entries(outputs)) {
      assertOutputsClose(task.outputs[port]!, path, TOLERANCE);
    }
  }
}
