/** `deno task schema`: writes the JSON Schemas of manifests and experiments, which editors use. @module */
import { join } from "node:path";
import { experimentJsonSchema } from "@/lib/pipeline/experiments/experiment.ts";
import { manifestJsonSchema } from "@/lib/pipeline/engine/manifest.ts";
import { projectRoot } from "./project_root.ts";

const schemas = {
  "pipeline.schema.json": manifestJsonSchema(),
  "experiments/experiment.schema.json": experimentJsonSchema(),
};
for (const [name, schema] of Object.entries(schemas)) {
  await Deno.writeTextFile(join(projectRoot, "pipelines", name), `${JSON.stringify(schema, null, 2)}\n`);
}
