/** A test stage for loops that hands its model over in memory: the number of count-iterations, as weights. @module */
import { join } from "node:path";
import { z } from "zod";
import { writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { defineStage } from "@/lib/data/contracts/stage.ts";
import { givingTo } from "@/lib/data/files/hand_over.ts";
import { openSafetensors, writeSafetensors } from "@/lib/data/files/safetensors.ts";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { f32 } from "@/lib/compute/tensor/tensor.ts";

const FILE = "weights.safetensors";

export const stage = defineStage({
  id: "grow-model",
  summary: "Adds a number to a model's number, in memory if possible.",
  params: z.strictObject({
    add: z.number().default(1).describe("number that is added in an iteration"),
    limit: z.number().default(100).describe("from this value on the metric stopped is 1"),
    peak: z.number().default(100).describe("value at which the metric reward is greatest"),
    pause: z.int().default(0).describe("duration of a step").meta({ unit: "ms" }),
  }),
  inputs: {
    model: { contract: "model", description: "the number", handedOver: true },
    state: { contract: "state", description: "iterations so far", optional: true, handedOver: true },
  },
  outputs: {
    model: { contract: "model", description: "the new number", handedOver: true },
    state: { contract: "state", description: "iterations so far", handedOver: true },
    metrics: { contract: "metrics@1", description: "value, reward and stopped" },
  },
  random: true,
  async run({ params, inputs, outputs, iteration, signal, progress, handOver }) {
    const read = (port: "model" | "state") => {
      if (inputs[port] === undefined || iteration === 0) return 0;
      const path = join(inputs[port], FILE);
      progress({ message: `${port} from ${handOver?.taken(path) ? "memory" : "disk"}` });
      using file = openSafetensors(path, handOver);
      return file.readFloat32("x")[0]!;
    };
    const values = { model: read("model") + params.add, state: read("state") + 1 };
    for (let step = 0; step < 5; step++) {
      if (signal.aborted) throw new TryAgainError("Interrupted: this iteration of grow-model is discarded");
      progress({ step, total: 5 });
      await new Promise((resolve) => setTimeout(resolve, params.pause));
    }
    for (const port of ["model", "state"] as const) {
      const path = outputs[port], give = givingTo(handOver, path);
      Deno.mkdirSync(path);
      Deno.writeTextFileSync(join(path, "value.txt"), `${values[port]}`);
      const tensor = f32([1], [values[port]]);
      writeSafetensors(join(path, FILE), [{ name: "x", tensor }], {}, give && ((c) => give(FILE, c)));
    }
    await writeMetrics(outputs.metrics, [
      { step: iteration, name: "reward", value: -Math.abs(values.model - params.peak) },
      { step: iteration, name: "stopped", value: values.model >= params.limit ? 1 : 0 },
    ]);
  },
});

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
