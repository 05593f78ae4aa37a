/**
 * The program `eval`: models answer the same prompts with the same random numbers, and everything that can be measured
 * of their answers is. In: models and prompts. Out: figures by model, mode and metric, and answers to read.
 * @module
 */
import { writeEvals } from "@/lib/contracts/evals.ts";
import { writeSamples } from "@/lib/contracts/samples.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import { TryAgainError } from "@/lib/tensor/errors.ts";
import { yieldToEventLoop } from "@/lib/train/event_loop.ts";
import { evaluate } from "./evaluate.ts";
import { type Params, params } from "./params.ts";
import { readInputs } from "./read_inputs.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "eval",
  summary: "Lets models answer the same prompts and measures their answers.",
  params,
  inputs: {
    models: { contract: "model", description: "the models to compare, by name", many: "map" },
    prompts: { contract: "prompts@1", description: "what to answer" },
    reward: { contract: "reward", description: "measures the reward of answers", optional: true },
    base: { contract: "model", description: "measures fluency; else the reward's base does", optional: true },
    sft: { contract: "model", description: "the model that KL is measured against", optional: true },
    validation: { contract: "tokens@1", description: "held-back demonstrations to foresee", optional: true },
    checker: {
      contract: "file",
      description: "a module that exports check(), in place of the checker that a parameter names",
      optional: true,
    },
  },
  outputs: {
    evals: { contract: "evals@1", description: "every metric by model and mode" },
    samples: { contract: "samples@1", description: "answers to the first prompts, with their figures" },
  },
  random: true,
  run,
});

async function run(
  { params, inputs, outputs, seed, signal, progress, threads }: StageContext<Params>,
): Promise<void> {
  configureRuntime({ threads });
  const evaluation = await readInputs(inputs, params);
  const pause = async () => {
    await yieldToEventLoop();
    if (!signal.aborted) return;
    throw new TryAgainError("Cannot finish eval as a stop was asked for: nothing of it is kept");
  };
  const { evals, samples } = await evaluate(evaluation, { params, seed, progress, pause });
  await writeEvals(outputs.evals!, evals);
  await writeSamples(outputs.samples!, samples);
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
