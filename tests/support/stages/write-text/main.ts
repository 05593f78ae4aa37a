/** A test stage: repeats a word into a file, with its seed where it draws one. @module */
import { z } from "zod";
import { defineStage } from "@/lib/data/contracts/stage.ts";

export const stage = defineStage({
  id: "write-text",
  summary: "Writes a word several times.",
  params: z.strictObject({
    word: z.string().min(1).default("a").describe("word to write").meta({ source: "this test" }),
    times: z.int().min(1).max(9).default(2).describe("number of repetitions").meta({ unit: "words" }),
    unsteady: z.boolean().default(false).describe("write different bytes at every run, as no stage should"),
    fail: z.boolean().default(false).describe("throw an error instead"),
  }),
  inputs: { text: { contract: "file", description: "text at the start", optional: true } },
  outputs: {
    text: { contract: "file", description: "the text" },
    extra: { contract: "file", description: "written from 5 repetitions on", optional: true },
  },
  random: true,
  async run({ params, inputs, outputs, seed, progress }) {
    if (params.fail) throw new RangeError("Failed on purpose: fail is true");
    progress({ step: 1, total: 1, fields: { words: params.times } });
    const start = inputs.text === undefined ? "" : await Deno.readTextFile(inputs.text);
    if (params.times >= 5) await Deno.writeTextFile(outputs.extra, `${params.word}!`);
    await Deno.writeTextFile(
      outputs.text,
      `${start}${`${params.word} `.repeat(params.times)}${seed}${
        params.unsteady ? crypto.randomUUID() : ""
      }\n`,
    );
  },
});

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
