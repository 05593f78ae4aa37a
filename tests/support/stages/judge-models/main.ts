/** A test stage for evaluations: judges the numbers in model directories by how near they are to a target. @module */
import { z } from "zod";
import { type EvalRow, writeEvals } from "@/lib/data/contracts/evals.ts";
import { defineStage } from "@/lib/data/contracts/stage.ts";

export const stage = defineStage({
  id: "judge-models",
  summary: "Judges numbers by their distance to a target.",
  params: z.strictObject({
    target: z.number().default(0).describe("number to compare with"),
    modes: z.array(z.enum(["greedy", "sampled"])).default(["greedy", "sampled"]).describe(
      "a sampled number is the square of a greedy one",
    ),
  }),
  inputs: { models: { contract: "model", description: "numbers by name", many: "map" } },
  outputs: { evals: { contract: "evals@1", description: "score and distance of every model and mode" } },
  random: false,
  async run({ params, inputs, outputs }) {
    const rows = Object.entries(inputs.models).flatMap(([model, path]) => {
      const value = parseFloat(Deno.readTextFileSync(`${path}/value.txt`));
      return params.modes.flatMap((mode): EvalRow[] => {
        const distance = Math.abs((mode === "greedy" ? value : value * value) - params.target);
        const common = { model, mode, stderr: 0, n: 1 };
        return [
          { ...common, metric: "score", mean: 0 - distance },
          { ...common, metric: "distance", mean: distance },
        ];
      });
    });
    await writeEvals(outputs.evals, rows);
  },
});

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
