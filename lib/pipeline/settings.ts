/**
 * `--set STAGE.PARAM=VALUE` and `--input NAME=PATH`: what the command line changes in a manifest.
 * @module
 */
import { parse } from "yaml";
import { UsageError } from "@/lib/tensor/errors.ts";
import type { Manifest } from "./manifest.ts";
import { suggestion } from "./suggest.ts";

/** One `--set`, value read as YAML (so that 1e-3 is a number and [a, b] a list). */
export interface Setting {
  readonly text: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Reads the values of `--set`; lists all that have no `=` or no dot. */
export function parseSettings(texts: readonly string[]): Setting[] {
  const bad: string[] = [];
  const settings: Setting[] = [];
  for (const text of texts) {
    const match = /^([^=]+)=(.*)$/s.exec(text);
    const path = (match?.[1] ?? "").replaceAll("-", "_").split(".");
    let value: unknown;
    try {
      value = parse(match?.[2] ?? "");
    } catch {
      value = match?.[2];
    }
    if (!match || path.length < 2 || path.length > 3 || path.some((part) => part === "")) bad.push(text);
    else settings.push({ text, path, value });
  }
  if (bad.length > 0) {
    throw new UsageError(
      `Cannot use --set as it must be STAGE.PARAM=VALUE: it is ${bad.map(quoted).join(", ")}`,
    );
  }
  return settings;
}

/** Reads the values of `--input`; a name may be given once. */
export function parseInputs(texts: readonly string[]): Record<string, string> {
  const bad: string[] = [];
  const inputs: Record<string, string> = {};
  for (const text of texts) {
    const match = /^([^=]+)=(.+)$/s.exec(text);
    const name = (match?.[1] ?? "").replaceAll("-", "_");
    if (!match || Object.hasOwn(inputs, name)) bad.push(text);
    else inputs[name] = match[2]!;
  }
  if (bad.length > 0) {
    throw new UsageError(
      `Cannot use --input as it must be NAME=PATH, once for each name: it is ${bad.map(quoted).join(", ")}`,
    );
  }
  return inputs;
}

/**
 * The manifest with `settings` in it. `STAGE.PARAM` and `BLOCK.STAGE.PARAM` set parameters, `BLOCK.count` the number of
 * copies or rounds, `BLOCK.publish` and `BLOCK.STAGE.every` how often a loop writes its models and a stage of it runs. Values of parameters are checked later with the
 * rest of the plan.
 * @throws {UsageError} naming all settings that name nothing
 */
export function applySettings(manifest: Manifest, settings: readonly Setting[]): Manifest {
  const changed = structuredClone(manifest);
  const problems: string[] = [];
  for (const { text, path, value } of settings) {
    const problem = applyOne(changed, path, value);
    if (problem) problems.push(`${quoted(text)}: ${problem}`);
  }
  if (problems.length > 0) {
    throw new UsageError(`Cannot use --set as it must name a stage and a parameter: ${problems.join("; ")}`);
  }
  return changed;
}

/** What keeps `setting` from `manifest`; undefined where it fits. Values are checked with the rest of the plan. */
export function settingProblem(manifest: Manifest, { path, value }: Setting): string | undefined {
  return applyOne(structuredClone(manifest), path, value);
}

// Entries are replaced, not written to: stages that share a YAML anchor share its object.
function applyOne(manifest: Manifest, path: readonly string[], value: unknown): string | undefined {
  const [first, second, third] = path as [string, string, string?];
  const entry = manifest.stages[first];
  if (!entry) return `there is no stage "${first}"${suggestion(first, Object.keys(manifest.stages))}`;
  if ("uses" in entry) {
    if (third !== undefined) return `"${first}" is a stage, not a block`;
    manifest.stages[first] = { ...entry, with: { ...entry.with, [second]: value } as typeof entry.with };
    return undefined;
  }
  if (third !== undefined) {
    const inner = entry.stages[second];
    if (!inner) {
      return `block "${first}" has no stage "${second}"${suggestion(second, Object.keys(entry.stages))}`;
    }
    if (third === "every" && "iterate" in entry) {
      if (!isCount(value)) return `"every" must be a whole number from 1: it is ${JSON.stringify(value)}`;
      entry.stages[second] = { ...inner, every: value };
    } else {
      entry.stages[second] = { ...inner, with: { ...inner.with, [third]: value } as typeof inner.with };
    }
    return undefined;
  }
  if (second === "publish" && "iterate" in entry) {
    if (!isCount(value)) return `"publish" must be a whole number from 1: it is ${JSON.stringify(value)}`;
    entry.iterate.publish = value;
    return undefined;
  }
  if (second !== "count") return `"${first}" is a block, which takes ${first}.count and ${first}.STAGE.PARAM`;
  if (!isCount(value)) {
    return `the count must be a whole number from 1: it is ${JSON.stringify(value)}`;
  }
  const loop = "foreach" in entry ? entry.foreach : entry.iterate;
  loop.count = value;
  return undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
