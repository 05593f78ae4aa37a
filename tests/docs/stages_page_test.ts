/** Tests the generated page of stages. @module */
import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import { defineStage } from "@/lib/data/contracts/stage.ts";
import { tablesOf } from "./markdown.ts";
import { stagesPage } from "./stages_page.ts";

const params = z.strictObject({
  beta: z.number().nonnegative().default(0.05).describe("KL penalty coefficient β.")
    .meta({ unit: "nats", source: "TRL", details: "Longer explanation." }),
  name: z.string().describe("Name of the run.").meta({ source: "none" }),
});
const page = stagesPage([
  defineStage({
    id: "toy",
    summary: "Summary.",
    params,
    inputs: {},
    outputs: {},
    random: false,
    run: async () => {},
  }),
]);

Deno.test("stagesPage() has a row per parameter with type, unit, default, description and source", () => {
  const parameters = tablesOf(page).find(({ headings }) => headings[0] === "parameter");
  assertEquals(parameters?.rows, [
    ["`beta`", "number, ≥ 0", "nats", "`0.05`", "KL penalty coefficient β.", "TRL"],
    ["`name`", "string", "–", "required", "Name of the run.", "none"],
  ]);
});

Deno.test("stagesPage() lists details below the table, of parameters that have them", () => {
  assert(page.trimEnd().endsWith("|\n\n- `beta`: Longer explanation."), page);
});
