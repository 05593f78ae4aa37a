/** A test stage for loops: adds to a number in a model directory, and reports when it is large. @module */
import { z } from "zod";
import { writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { defineStage } from "@/lib/data/contracts/stage.ts";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";

export const stage = defineStage({
  id: "count-iterations",
  summary: "Adds a number to a model's number.",
  params: z.strictObject({
    add: z.number().default(1).describe("number that is added in an iteration"),
    limit: z.number().default(100).describe("from this value on the metric stopped is 1"),
    warn_at: z.number().default(100).describe("from this value on it warns"),
    pause: z.int().default(0).describe("duration of a step").meta({ unit: "ms" }),
  }),
  renamed: { increment: "add" },
  inputs: {
    model: { contract: "model", description: "the number" },
    state: { contract: "state", description: "iterations so far", optional: true },
    texts: { contract: "file", description: "read, not used", optional: true, many: "list" },
  },
  outputs: {
    model: { contract: "model", description: "the new number" },
    state: { contract: "state", description: "iterations so far" },
    metrics: { contract: "metrics@1", description: "value and stopped" },
  },
  random: true,
  async run({ params, inputs, outputs, iteration, scratch, signal, progress }) {
    const read = async (path: string) => parseFloat(await Deno.readTextFile(`${path}/value.txt`));
    const done = inputs.state === undefined ? 0 : await read(inputs.state);
    const value = await read(inputs.model) + params.add;
    if (value >= params.warn_at) progress({ warning: `the value is ${value}` });
    for (let step = 0; step < 5; step++) {
      if (signal.aborted) {
        await Deno.writeTextFile(`${scratch}/step.txt`, String(step));
        throw new TryAgainError(`Interrupted: step ${step} of count-iterations is saved`);
      }
      progress({ step, total: 5, fields: { value, tokens: 10 * (step + 1) } });
      await new Promise((resolve) => setTimeout(resolve, params.pause));
    }
    for (
      const [path, content] of [[outputs.model, value], [outputs.state, `${done + 1} iterations`]] as const
    ) {
      await Deno.mkdir(path);
      await Deno.writeTextFile(`${path}/value.txt`, String(content));
    }
    await writeMetrics(outputs.metrics, [
      { step: iteration, name: "value", value },
      { step: iteration, name: "stopped", value: value >= params.limit ? 1 : 0 },
    ]);
  },
});

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
