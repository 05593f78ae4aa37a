/** Stages with parameters that the quickstart does not use, on a device and on the processor. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { addDevice } from "@/lib/compute/devices/devices.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { stage as sft } from "@/stages/sft/main.ts";
import { countingRows, SMALL_MODEL, writeSmallTokens } from "@/tests/support/counting_rows.ts";
import { type Iteration, scoredRollouts, SFT, update } from "@/tests/support/ppo_iterations.ts";
import { runStage, type StageRun } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { assertOutputsClose } from "./compare_outputs.ts";

const TOLERANCE = 1e-4;

/** The validation loss falls, then rises: the best checkpoint is not the last one. */
const CHOSEN = {
  ...{ lr: "auto", lr_values: [1e-5, 1e-2], lr_trial_updates: 3, max_updates: 8, batch_size: 4 },
  ...{ schedule: "constant", eval_every: 2, load_best_model_at_end: true, eps: 1e-4 },
};

/** Compares a training whose learning rate and checkpoint are chosen by validation losses, undisturbed and interrupted. */
async function checkChosenTraining(place: Place): Promise<void> {
  using directory = new TemporaryDirectory();
  const { device } = place.provider;
  addDevice(place);
  const tokens = directory.file("tokens.arrow"), validation = directory.file("validation.arrow");
  await writeSmallTokens(tokens, countingRows(4));
  await writeSmallTokens(validation, countingRows(9, 40));
  const train = (home: string, rest: Partial<StageRun> = {}) =>
    runStage(sft, directory.file(home), {
      inputs: { tokens, validation, model: SMALL_MODEL },
      params: CHOSEN,
      ...rest,
    });
  const wanted = await train("cpu"), found = await train("device", { device });
  const best = readMetrics(wanted.metrics!).find(({ name }) => name === "best_step")!.value;
  assert(best < CHOSEN.max_updates, `the best checkpoint is an earlier one, got ${best}`);
  for (const port of ["policy", "metrics"]) assertOutputsClose(found[port]!, wanted[port]!, TOLERANCE);
  for (const stopAfter of [2, 9]) { // in the first trial, and in the training
    const scratch = directory.file(`scratch${stopAfter}`), home = `resumed${stopAfter}`;
    Deno.mkdirSync(scratch);
    await assertRejects(() => train(home, { device, scratch, stopAfter }), TryAgainError);
    const resumed = await train(home, { device, scratch });
    assertEquals(digestDirectory(resumed.policy!).digest, digestDirectory(found.policy!).digest);
  }
}

/** Compares two iterations with a shared critic; the second one starts from the first one's files of the same device. */
async function checkSharedCritic(place: Place): Promise<void> {
  using directory = new TemporaryDirectory();
  addDevice(place);
  const rows = [0, 1].map((iteration) => scoredRollouts(SFT, iteration));
  const run = async (device: string): Promise<readonly Iteration[]> => {
    const options = (iteration: number) => ({
      params: { critic_trunk: "shared", ema_decay: 0.9, eps: 1e-4, lr: 1e-4, critic_lr: 1e-3 },
      iteration,
      device,
    });
    const first = await update(directory, { policy: SFT }, rows[0]!, options(0));
    const { policy, state } = first;
    return [first, await update(directory, { policy, state }, rows[1]!, options(1))];
  };
  const wanted = await run("cpu"), found = await run(place.provider.device);
  for (const [i, iteration] of found.entries()) {
    for (const port of ["policy", "state", "ema", "metricsPath"] as const) {
      assertOutputsClose(iteration[port], wanted[i]![port], TOLERANCE);
    }
  }
  assertEquals(found[1]!.metrics.critic_updates, 8);
}

/** Stages with what a pipeline of the quickstart does not have. */
export const STAGE_CASES: Readonly<Record<string, (place: Place) => Promise<void>>> = {
  "sft with lr=auto, validation and its best checkpoint trains as on the processor, also when it is resumed":
    checkChosenTraining,
  "a shared critic is trained as on the processor, also from its state": checkSharedCritic,
};
