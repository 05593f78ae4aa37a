/** Where this project lies. @module */
import { fileURLToPath } from "node:url";

/** The folder of deno.json, absolute. */
export const projectRoot: string = fileURLToPath(new URL("../../", import.meta.url)).replace(/[/\\]$/, "");
