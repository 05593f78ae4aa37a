/** A function out of a module that a user names: a checker, a reward. @module */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UsageError } from "@/lib/tensor/errors.ts";

/** What a module exports under a name, whatever it takes and gives: who calls it checks. */
// deno-lint-ignore no-explicit-any -- a user's function
export type ExportedFunction = (...args: any[]) => unknown;

/**
 * Loads the JavaScript or TypeScript module at `path`.
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
    const error = new UsageError(`Cannot use ${what} ${path} as it must be a module that loads: ${why}`);
    error.cause = cause;
    throw error;
  }
  const found = module[name];
  if (typeof found === "function") return found as ExportedFunction;
  const exported = Object.keys(module).join(", ") || "nothing";
  throw new UsageError(
    `Cannot use ${what} ${path} as it must export a function "${name}": it exports ${exported}`,
  );
}
