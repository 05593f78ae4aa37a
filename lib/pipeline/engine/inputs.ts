/**
 * The manifest's `inputs:` as absolute paths, and checks of files that stages are to read.
 * @module
 */
import { dirname, isAbsolute, resolve, sep } from "node:path";
import { fileSet, resolvePattern, shownPath, whatIsMissing } from "@/lib/data/files/file_pattern.ts";
import type { Port } from "@/lib/data/contracts/stage.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { allStages, type Blueprint, referencesOf } from "./blueprint.ts";
import type { Manifest } from "./manifest.ts";
import { contractsOf } from "./ports.ts";
import { unknownName } from "./suggest.ts";

/** Inputs that belong to another input: if that is given, these are unset unless they are given too. */
const COMPANIONS: Readonly<Record<string, readonly string[]>> = {
  demonstrations: ["prompts", "eval_prompts"],
};

/** Returns the folder for relative inputs: the project around the nearest `pipelines/`, else the manifest's folder. */
export function inputRoot(manifestFile: string): string {
  const folder = dirname(resolve(manifestFile));
  const parts = folder.split(sep);
  const at = parts.lastIndexOf("pipelines");
  return at < 0 ? folder : parts.slice(0, at).join(sep) || sep;
}

/**
 * Returns the absolute path of every input, null if it is not given; a pattern becomes the names of its files.
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
  if (unknown.length > 0) {
    throw new UsageError(
      `Invalid --input: ${unknown.map((name) => unknownName("input", name, names)).join("; ")}`,
    );
  }
  const hub = Object.entries({ ...manifest.inputs, ...given }).filter(([, path]) => path?.startsWith("hf:"));
  if (hub.length > 0) {
    const list = hub.map(([name, path]) => `${name} is ${path}`).join(", ");
    throw new UsageError(`Inputs must be local paths (download hf: models first): ${list}`);
  }
  const unset = new Set(Object.keys(given).flatMap((name) => COMPANIONS[name] ?? []));
  return Object.fromEntries(names.map((name) => {
    const replaced = given[name];
    if (replaced !== undefined) return [name, resolvePattern(resolve(options.workingDirectory, replaced))];
    const path = manifest.inputs[name] ?? null;
    if (path === null || unset.has(name)) return [name, null];
    return [name, resolvePattern(isAbsolute(path) ? path : resolve(options.root, path))];
  }));
}

/** @throws {DataError} listing every given input that does not exist, and every pattern that no file matches */
export function checkInputsExist(inputs: Readonly<Record<string, string | null>>): void {
  checkExist(Object.entries(inputs).flatMap(([name, path]) => path === null ? [] : [[`${name} is`, path]]));
}

/** @throws {UsageError} listing every port for one file or directory that would read several files */
export function checkPatterns(blueprint: Blueprint): void {
  checkSingle(
    allStages(blueprint).flatMap((plan) =>
      Object.entries(plan.bindings).flatMap(([name, binding]) =>
        referencesOf(binding).flatMap((reference) => {
          const path = reference.from === "input" ? blueprint.inputs[reference.name] ?? null : null;
          const port = plan.stage.inputs[name]!;
          return path === null ? [] : [{ label: `input "${name}" of ${plan.path} reads`, path, port }];
        })
      )
    ),
  );
}

/** @throws {DataError} listing every path that does not exist, each after its label */
export function checkExist(paths: readonly (readonly [label: string, path: string])[]): void {
  const missing = paths.flatMap(([label, path]) =>
    whatIsMissing(path).map((what) => `${label} ${path} (${what})`)
  );
  if (missing.length > 0) throw new DataError(`Missing input files: ${missing.join(", ")}`);
}

/** @throws {UsageError} listing every path that is several files although its port is not one for data files */
export function checkSingle(
  paths: readonly { readonly label: string; readonly path: string; readonly port: Port }[],
): void {
  const several = paths.filter(({ path, port }) =>
    !contractsOf(port).includes("file") && fileSet(path) !== undefined
  );
  if (several.length === 0) return;
  const list = several.map(({ label, path }) => `${label} ${shownPath(path)}`).join("; ");
  throw new UsageError(
    `A directory or pattern of several files is allowed only for inputs with contract file, got ${list}`,
  );
}
