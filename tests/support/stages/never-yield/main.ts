/** A test stage that computes without ever yielding to the event loop, as a loop in native code or a template can. @module */
import { z } from "zod";
import { defineStage } from "@/lib/data/contracts/stage.ts";

export const stage = defineStage({
  id: "never-yield",
  summary: "Computes for a long time without yielding.",
  params: z.strictObject({
    seconds: z.int().min(1).default(120).describe("how long").meta({ unit: "seconds", source: "this test" }),
  }),
  inputs: {},
  outputs: { text: { contract: "file", description: "a text" } },
  random: false,
  async run({ params, outputs, progress }) {
    progress({ step: 1, total: 2, fields: { pid: Deno.pid } });
    await new Promise((resolve) => setTimeout(resolve, 100)); // the message gets out
    const end = performance.now() + 1000 * params.seconds;
    while (performance.now() < end);
    await Deno.writeTextFile(outputs.text, "done");
  },
});

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
