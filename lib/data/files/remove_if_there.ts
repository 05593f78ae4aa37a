/** Removes what may not exist. @module */
import { isMissing } from "./paths.ts";

/** Removes the file or the whole directory at `path`, if it exists. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
