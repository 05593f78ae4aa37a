/** `deno task schema`: writes the JSON Schema of manifests, which editors use and a test compares. @module */
import { join } from "node:path";
import { manifestJsonSchema } from "@/lib/pipeline/manifest.ts";
import { projectRoot } from "./project_root.ts";

await Deno.writeTextFile(
  join(projectRoot, "pipelines", "pipeline.schema.json"),
  `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`,
);
