/** A test stage for loops: adds to a number in a model directory, and says when it is large. @module */
import { z } from "zod";
import { writeMetrics } from "@/lib/contracts/metrics.ts";
import { defineStage } from "@/lib/contracts/stage.ts";
import { TryAgainError } from "@/lib/tensor/errors.ts";

export const stage = defineStage({
  id: "count-rounds",
  summary: "Adds a number to a model's number.",
  params: z.strictObject({
    add: z.number().default(1).describe("what is added in a round"),
    limit: z.number().default(100).describe("from here on the metric stopped is 1"),
    warn_at: z.number().default(100).describe("from here on it warns"),
    pause: z.int().default(0).describe("how long a step takes").meta({ unit: "ms" }),
  }),
  inputs: {
    model: { contract: "model", description: "the number" },
    state: { contract: "state", description: "rounds so far", optional: true },
    texts: { contract: "file", description: "read, not used", optional: true, many: "list" },
  },
  outputs: {
    model: { contract: "model", description: "the new number" },
    state: { contract: "state", description: "rounds so far" },
    metrics: { contract: "metrics@1", description: "value and stopped" },
  },
  random: true,
  async run({ params, inputs, outputs, iteration, scratch, signal, progress }) {
    const read = async (path: string) => parseFloat(await Deno.readTextFile(`${path}/value.txt`));
    const rounds = inputs.state === undefined ? 0 : await read(inputs.state as string);
    const value = await read(inputs.model as string) + params.add;
    if (value >= params.warn_at) progress({ warning: `the value is ${value}` });
    for (let step = 0; step < 5; step++) {
      if (signal.aborted) {
        await Deno.writeTextFile(`${scratch}/step.txt`, String(step));
        throw new TryAgainError(`Cannot finish count-rounds as it was stopped: step ${step} is kept`);
      }
      progress({ step, total: 5, fields: { value, tokens: 10 * (step + 1) } });
      await new Promise((resolve) => setTimeout(resolve, params.pause));
    }
    for (
      const [path, content] of [[outputs.model!, value], [outputs.state!, `${rounds + 1} rounds`]] as const
    ) {
      await Deno.mkdir(path);
      await Deno.writeTextFile(`${path}/value.txt`, String(content));
    }
    await writeMetrics(outputs.metrics!, [
      { step: iteration, name: "value", value },
      { step: iteration, name: "stopped", value: value >= params.limit ? 1 : 0 },
    ]);
  },
});

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
