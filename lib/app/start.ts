/** Loads the launcher (see `launcher.ts`); an interrupt meanwhile ends with exit code 75. @module */
import { endWhileStarting } from "./starting.ts";

endWhileStarting();
await import("./launcher.ts");
