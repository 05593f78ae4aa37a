/**
 * The manifest's `inputs:` as absolute paths: which are given, by whom, and whether they are there.
 * @module
 */
import { dirname, isAbsolute, resolve, sep } from "node:path";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
import type { Manifest } from "./manifest.ts";
import { suggestion } from "./suggest.ts";

/** Inputs that only make sense with the one they came with: given the key, the values are unset unless given too. */
const COMPANIONS: Readonly<Record<string, readonly string[]>> = {
  demonstrations: ["prompts", "eval_prompts"],
};

/** Where the relative paths of a manifest's inputs start: the project around the nearest `pipelines/`, else the manifest's folder. */
export function inputRoot(manifestFile: string): string {
  const folder = dirname(resolve(manifestFile));
  const parts = folder.split(sep);
  const at = parts.lastIndexOf("pipelines");
  return at < 0 ? folder : parts.slice(0, at).join(sep) || sep;
}

/**
 * Absolute path of every input, null where it is not given.
 * @param given `--input`, relative to `workingDirectory`
 * @throws {UsageError} for names that the manifest does not have, or for models on the hub: the launcher downloads them
 */
export function resolveInputs(
  manifest: Manifest,
  given: Readonly<Record<string, string>>,
  options: { readonly root: string; readonly workingDirectory: string },
): Record<string, string | null> {
  const names = Object.keys(manifest.inputs);
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(manifest.inputs, name));
  const hub = Object.entries({ ...manifest.inputs, ...given }).filter(([, path]) => path?.startsWith("hf:"));
  if (unknown.length > 0) {
    const list = unknown.map((name) => `there is no input "${name}"${suggestion(name, names)}`).join("; ");
    throw new UsageError(`Cannot use --input as the manifest must have an input of that name: ${list}`);
  }
  if (hub.length > 0) {
    const list = hub.map(([name, path]) => `${name} is ${path}`).join(", ");
    throw new UsageError(
      `Cannot use inputs as they must be local paths (download hf: models first): ${list}`,
    );
  }
  const unset = new Set(Object.keys(given).flatMap((name) => COMPANIONS[name] ?? []));
  return Object.fromEntries(names.map((name) => {
    const own = given[name];
    if (own !== undefined) return [name, resolve(options.workingDirectory, own)];
    const path = manifest.inputs[name] ?? null;
    if (path === null || unset.has(name)) return [name, null];
    return [name, isAbsolute(path) ? path : resolve(options.root, path)];
  }));
}

/** @throws {DataError} naming every given input that is not there */
export async function checkInputsExist(inputs: Readonly<Record<string, string | null>>): Promise<void> {
  const missing: string[] = [];
  for (const [name, path] of Object.entries(inputs)) {
    if (path === null) continue;
    try {
      await Deno.stat(path);
    } catch (error) {
      missing.push(
        `${name} is ${path} (${
          error instanceof Deno.errors.NotFound ? "not found" : (error as Error).message
        })`,
      );
    }
  }
  if (missing.length > 0) throw new DataError(`Cannot read inputs as each must exist: ${missing.join(", ")}`);
}
