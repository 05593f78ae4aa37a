/** The directory of this project. @module */
import { fileURLToPath } from "node:url";

/** The directory of deno.json, absolute. */
export const projectRoot: string = fileURLToPath(new URL("../../", import.meta.url)).replace(/[/\\]$/, "");
