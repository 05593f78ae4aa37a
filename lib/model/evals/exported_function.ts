/** Loads a function from a user's module: a checker, a reward. @module */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** A user's function of unknown type: the caller checks its results. */
// deno-lint-ignore no-explicit-any -- a user's function
type ExportedFunction = (...args: any[]) => unknown;

/**
 * Loads the JavaScript or TypeScript module at `path` and returns one of its functions.
 * @param name of the function that it must export
 * @param what for messages: "checker"
 * @throws {UsageError} if the module does not load or exports no such function
 */
export async function exportedFunction(
  path: string,
  { name, what }: { readonly name: string; readonly what: string },
): Promise<ExportedFunction> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Failed to load ${what} ${path}: ${why}`, { cause });
  }
  const found = module[name];
  if (typeof found === "function") return found as ExportedFunction;
  const exported = Object.keys(module).join(", ") || "nothing";
  throw new UsageError(`${what} ${path} must export a function "${name}", got ${exported}`);
}
