/** A test stage: repeats a word into a file, with its seed where it draws one. @module */
import { z } from "zod";
import { defineStage } from "@/lib/contracts/stage.ts";

export const stage = defineStage({
  id: "write-text",
  summary: "Writes a word several times.",
  params: z.strictObject({
    word: z.string().min(1).default("a").describe("what is written").meta({ source: "this test" }),
    times: z.int().min(1).max(9).default(2).describe("how often").meta({ unit: "words" }),
    unsteady: z.boolean().default(false).describe("other bytes at every run, which no stage should give"),
    fail: z.boolean().default(false).describe("throws instead"),
  }),
  inputs: { text: { contract: "file", description: "a text to begin with", optional: true } },
  outputs: { text: { contract: "file", description: "the text" } },
  random: true,
  async run({ params, inputs, outputs, seed, progress }) {
    if (params.fail) throw new RangeError("Cannot write a text as it was asked to fail: fail is true");
    progress({ step: 1, total: 1, fields: { words: params.times } });
    const start = inputs.text === undefined ? "" : await Deno.readTextFile(inputs.text as string);
    await Deno.writeTextFile(
      outputs.text!,
      `${start}${`${params.word} `.repeat(params.times)}${seed}${
        params.unsteady ? crypto.randomUUID() : ""
      }\n`,
    );
  },
});

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
