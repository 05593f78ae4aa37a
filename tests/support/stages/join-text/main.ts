/** A test stage: joins a list and a map of files; draws no random numbers. @module */
import { z } from "zod";
import { defineStage } from "@/lib/data/contracts/stage.ts";

export const stage = defineStage({
  id: "join-text",
  summary: "Joins texts.",
  params: z.strictObject({ separator: z.string().default("|").describe("between texts") }),
  inputs: {
    texts: { contract: ["file", "metrics@1"], description: "in order", many: "list" },
    models: { contract: "model", description: "numbers in order", many: "list", optional: true },
    named: { contract: "model", description: "numbers by name", many: "map", optional: true },
  },
  outputs: { text: { contract: "file", description: "all of them" } },
  random: false,
  async run({ params, inputs, outputs }) {
    const texts = await Promise.all(inputs.texts.map((path) => Deno.readFile(path)));
    const sizes = texts.map((bytes) =>
      bytes.length < 200 ? new TextDecoder().decode(bytes) : `${bytes.length} bytes`
    );
    const named = Object.entries(inputs.named ?? {});
    const models = inputs.models ?? [];
    const numbers = [...models.map((path, i) => [i, path]), ...named].map(([name, path]) =>
      `${name}=${Deno.readTextFileSync(`${path}/value.txt`)}`
    );
    await Deno.writeTextFile(outputs.text, [...sizes, ...numbers].join(params.separator));
  },
});

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
