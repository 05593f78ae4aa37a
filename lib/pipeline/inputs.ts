/**
 * The manifest's `inputs:` as absolute paths: which are given, by whom, and whether they are there.
 * @module
 */
import { dirname, isAbsolute, resolve, sep } from "node:path";
import { fileSet, resolvePattern, shownPath, whatIsMissing } from "@/lib/files/file_pattern.ts";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
import { allStages, type Blueprint, referencesOf } from "./blueprint.ts";
import type { Manifest } from "./manifest.ts";
import { contractsOf } from "./ports.ts";
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
 * Absolute path of every input, null where it is not given. Of a pattern for files, the names of those that match.
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
    if (own !== undefined) return [name, resolvePattern(resolve(options.workingDirectory, own))];
    const path = manifest.inputs[name] ?? null;
    if (path === null || unset.has(name)) return [name, null];
    return [name, resolvePattern(isAbsolute(path) ? path : resolve(options.root, path))];
  }));
}

/** @throws {DataError} naming every given input that is not there, and every pattern that no file matches */
export function checkInputsExist(inputs: Readonly<Record<string, string | null>>): void {
  const missing = Object.entries(inputs).flatMap(([name, path]) =>
    path === null ? [] : whatIsMissing(path).map((what) => `${name} is ${path} (${what})`)
  );
  if (missing.length > 0) throw new DataError(`Cannot read inputs as each must exist: ${missing.join(", ")}`);
}

/** @throws {UsageError} naming every port that takes one file or directory and is to read several files */
export function checkPatterns(blueprint: Blueprint): void {
  const problems = allStages(blueprint).flatMap((plan) =>
    Object.entries(plan.bindings).flatMap(([port, binding]) => {
      if (contractsOf(plan.stage.inputs[port]!).includes("file")) return [];
      return referencesOf(binding).flatMap((reference) => {
        const path = reference.from === "input" ? blueprint.inputs[reference.name] ?? null : null;
        if (path === null || fileSet(path) === undefined) return [];
        return [`input "${port}" of ${plan.path} reads ${shownPath(path)}`];
      });
    })
  );
  if (problems.length > 0) {
    throw new UsageError(
      `Cannot use patterns as only ports of data files take more than one file: ${problems.join("; ")}`,
    );
  }
}
