/**
 * The program `merge`: merges a LoRA adapter into its base, W + s·B·A, and writes one plain checkpoint.
 * It has no state and draws no random numbers.
 * @module
 */
import { copyTokenizerFiles } from "@/lib/data/contracts/model_directory.ts";
import { defineStage, type Ports, type StageContext } from "@/lib/data/contracts/stage.ts";
import { publishDirectory } from "@/lib/data/files/publish.ts";
import { loadLanguageModel, writeMerged } from "@/lib/model/models/checkpoint.ts";
import { type Params, params } from "./params.ts";

const inputs = {
  model: {
    contract: "model",
    description: "LoRA adapter with its base model; a model without adapter is copied",
  },
} as const satisfies Ports;

const outputs = {
  merged: { contract: "model", description: "merged checkpoint without adapter, in float32" },
} as const satisfies Ports;

/** The stage; see its README. */
export const stage = defineStage({
  id: "merge",
  summary: "Merges a LoRA adapter into its base model and writes a checkpoint without adapter.",
  params,
  inputs,
  outputs,
  random: false,
  run,
});

async function run(context: StageContext<Params, typeof inputs, typeof outputs>): Promise<void> {
  const { inputs: { model }, outputs: { merged } } = context;
  const loaded = loadLanguageModel(model);
  await publishDirectory(merged, (to) => {
    writeMerged(to, loaded);
    copyTokenizerFiles(model, to);
  });
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
