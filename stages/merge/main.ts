/**
 * The program `merge`: a LoRA adapter and its base become one plain checkpoint, W + s·B·A.
 * It keeps no state and draws no random numbers.
 * @module
 */
import { copyTokenizerFiles } from "@/lib/contracts/model_directory.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { publishDirectory } from "@/lib/files/publish.ts";
import { loadLanguageModel, writeMerged } from "@/lib/models/checkpoint.ts";
import { type Params, params } from "./params.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "merge",
  summary: "Folds a LoRA adapter into its base: one plain checkpoint.",
  params,
  inputs: {
    model: { contract: "model", description: "an adapter with its base; a plain model is written as it is" },
  },
  outputs: {
    merged: { contract: "model", description: "the same model without an adapter, in float32" },
  },
  random: false,
  run,
});

async function run({ inputs, outputs }: StageContext<Params>): Promise<void> {
  const source = inputs.model as string, loaded = loadLanguageModel(source);
  await publishDirectory(outputs.merged!, (to) => {
    writeMerged(to, loaded);
    copyTokenizerFiles(source, to);
  });
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
