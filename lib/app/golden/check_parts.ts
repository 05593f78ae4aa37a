/** Parts of a golden's checks that do not depend on each other. @module */
import type { Tally } from "./tally.ts";

/** Runs every part. One that throws has failed, by its name, and the others are checked all the same. */
export function checkParts(parts: Readonly<Record<string, () => void>>, checks: Tally): void {
  for (const [check, run] of Object.entries(parts)) {
    try {
      run();
    } catch (error) {
      checks.fail({ check, measure: "differences", bar: 0 }, (error as Error).message);
    }
  }
}
