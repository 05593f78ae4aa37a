/**
 * The program `eval`: samples responses from several models to the same prompts with the same random numbers and computes their
 * metrics. In: models and prompts. Out: metrics by model and mode, and responses to read.
 * @module
 */
import { writeDifferences } from "@/lib/data/contracts/differences.ts";
import { writeEvals } from "@/lib/data/contracts/evals.ts";
import { writeSamples } from "@/lib/data/contracts/samples.ts";
import { defineStage } from "@/lib/data/contracts/stage.ts";
import { checkStop } from "@/lib/data/contracts/stop.ts";
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import { evaluateModels } from "./evaluate.ts";
import { params } from "./params.ts";
import { type Context, inputs, outputs } from "./ports.ts";
import { readInputs } from "./read_inputs.ts";
import { evalWorkload } from "./workload.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "eval",
  summary: "Samples responses to the same prompts from several models and computes metrics of the responses.",
  params,
  inputs,
  outputs,
  random: true,
  role: "evaluate",
  workload: evalWorkload,
  run,
});

async function run(
  { params, inputs, outputs, seed, signal, progress, threads, device }: Context,
): Promise<void> {
  configureCompute({ threads, device }, (warning) => progress({ warning }));
  const evaluation = await readInputs(inputs, params, signal);
  const onPiece = () => checkStop(signal, "this evaluation");
  const { evals, differences, samples } = await evaluateModels(evaluation, {
    params,
    seed,
    progress,
    onPiece,
  });
  await writeEvals(outputs.evals, evals);
  await writeDifferences(outputs.differences, differences);
  await writeSamples(outputs.samples, samples);
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
