/** Loads `deno task serve` (see `serve_command.ts`); an interrupt meanwhile ends with exit code 75. @module */
import { endWhileStarting } from "./starting.ts";

endWhileStarting();
const { runServe } = await import("./serve_command.ts");
await runServe();
