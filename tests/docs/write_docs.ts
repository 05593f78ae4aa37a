/** `deno task docs`: writes the generated parts of the documentation; a test compares them. @module */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/registry.ts";
import { generatedPages } from "./generated.ts";

for (const [path, text] of await generatedPages()) {
  Deno.writeTextFileSync(join(projectRoot, path), text);
}
