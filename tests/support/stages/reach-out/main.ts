/** A test stage that tries what a stage has no permission for. @module */
import { z } from "zod";
import { defineStage } from "@/lib/data/contracts/stage.ts";

const ATTEMPTS = {
  read: () => Deno.readTextFileSync("/etc/hostname"),
  write: () => Deno.writeTextFileSync("somewhere.txt", "x"),
  net: () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
  run: () => new Deno.Command(Deno.execPath()).spawn(),
  env: () => Deno.env.get("HOME"),
} as const;

export const stage = defineStage({
  id: "reach-out",
  summary: "Tries what a stage has no permission for.",
  params: z.strictObject({ what: z.enum(["read", "write", "net", "run", "env"]).describe("what to try") }),
  inputs: {},
  outputs: { text: { contract: "file", description: "a text, if it was allowed" } },
  random: false,
  async run({ params, outputs }) {
    await ATTEMPTS[params.what]();
    await Deno.writeTextFile(outputs.text, "allowed");
  },
});

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
