/** Prints the environment variables that its arguments name, as a JSON object; those that are not set are left out. @module */
import { readEnvironment } from "@/lib/data/files/kept_environment.ts";

console.log(JSON.stringify(readEnvironment(Deno.args)));
