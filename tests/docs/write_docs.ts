/** Writes the generated parts of the documentation: `deno task docs`. @module */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/registry.ts";
import { generatedPages } from "./generated.ts";

for (const [path, text] of await generatedPages()) {
  Deno.writeTextFileSync(join(projectRoot, path), text);
}
