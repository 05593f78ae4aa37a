/**
 * `--set STAGE.PARAM=VALUE` and `--input NAME=PATH`: changes to a manifest on the command line.
 * @module
 */
import { parse } from "yaml";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { type Manifest, MAX_COPIES, MAX_ITERATIONS, type StageEntry } from "./manifest.ts";
import { amountProblem } from "./yaml_limits.ts";
import { unknownName } from "./suggest.ts";

/** One `--set`, value read as YAML (so that 1e-3 is a number and [a, b] a list). */
export interface Setting {
  readonly text: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * Reads the values of `--set`.
 * @throws {UsageError} listing all that are not STAGE.PARAM=VALUE
 */
export function parseSettings(texts: readonly string[]): Setting[] {
  const bad: string[] = [];
  const settings = texts.flatMap((text): Setting[] => {
    const match = /^([^=]+)=(.*)$/s.exec(text);
    const path = (match?.[1] ?? "").replaceAll("-", "_").split(".");
    if (match && (path.length === 2 || path.length === 3) && !path.includes("")) {
      const value = yamlValue(match[2]!), problem = amountProblem(value);
      if (problem === undefined) return [{ text, path, value }];
      throw new UsageError(`--set ${path.join(".")}: ${problem}`);
    }
    bad.push(JSON.stringify(text));
    return [];
  });
  if (bad.length > 0) throw new UsageError(`--set must be STAGE.PARAM=VALUE, got ${bad.join(", ")}`);
  return settings;
}

function yamlValue(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

/**
 * Reads the values of `--input`.
 * @throws {UsageError} listing all that are not NAME=PATH or name an input again
 */
export function parseInputs(texts: readonly string[]): Record<string, string> {
  const bad: string[] = [];
  const inputs: Record<string, string> = {};
  for (const text of texts) {
    const match = /^([^=]+)=(.+)$/s.exec(text);
    const name = (match?.[1] ?? "").replaceAll("-", "_");
    if (!match || Object.hasOwn(inputs, name)) bad.push(JSON.stringify(text));
    else inputs[name] = match[2]!;
  }
  if (bad.length > 0) {
    throw new UsageError(`--input must be NAME=PATH, once for each name, got ${bad.join(", ")}`);
  }
  return inputs;
}

/**
 * Returns the manifest with `settings` applied: `STAGE.PARAM` and `BLOCK.STAGE.PARAM` set parameters, `BLOCK.count` the
 * number of copies or iterations, `BLOCK.publish` and `BLOCK.STAGE.every` how often a loop publishes and a stage of it
 * runs; `BLOCK.when=null` removes the condition of a loop. Values of parameters are checked later with the rest of the plan.
 * @throws {UsageError} listing all settings that do not fit
 */
export function applySettings(manifest: Manifest, settings: readonly Setting[]): Manifest {
  const changed = structuredClone(manifest);
  const problems = settings.flatMap((setting) => {
    const problem = applyOne(changed, setting);
    return problem === undefined ? [] : [`${JSON.stringify(setting.text)}: ${problem}`];
  });
  if (problems.length > 0) throw new UsageError(`Invalid --set: ${problems.join("; ")}`);
  return changed;
}

/** Returns why `setting` does not fit `manifest`; undefined if it does. */
export function settingProblem(manifest: Manifest, setting: Setting): string | undefined {
  return applyOne(structuredClone(manifest), setting);
}

// Entries are replaced, not written to: stages that share a YAML anchor share its object.
function applyOne(manifest: Manifest, { path, value }: Setting): string | undefined {
  const [first, second, third] = path as [string, string, string?];
  const entry = manifest.stages[first];
  if (!entry) return unknownName("stage", first, Object.keys(manifest.stages));
  if ("uses" in entry) {
    if (third !== undefined) return `"${first}" is a stage, not a block`;
    manifest.stages[first] = withParameter(entry, second, value);
    return undefined;
  }
  const isLoop = "iterate" in entry;
  if (third === undefined) {
    if (second === "when" && isLoop) {
      if (value !== null) return `when can only be set to null, got ${JSON.stringify(value)}`;
      const { when: _, ...iterate } = entry.iterate;
      manifest.stages[first] = { ...entry, iterate };
      return undefined;
    }
    if (second !== "count" && !(second === "publish" && isLoop)) {
      return `"${first}" is a block: only ${first}.count and ${first}.STAGE.PARAM can be set`;
    }
    if (!isCount(value)) return countProblem(second, value);
    const most = isLoop ? MAX_ITERATIONS : MAX_COPIES;
    if (second === "count" && value > most) return `count must be at most ${most}, got ${value}`;
    Object.assign(isLoop ? entry.iterate : entry.foreach, { [second]: value });
    return undefined;
  }
  const inner = entry.stages[second];
  if (!inner) return `block "${first}": ${unknownName("stage", second, Object.keys(entry.stages))}`;
  if (third !== "every" || !isLoop) entry.stages[second] = withParameter(inner, third, value);
  else if (isCount(value)) entry.stages[second] = { ...inner, every: value };
  else return countProblem(third, value);
  return undefined;
}

function withParameter(entry: StageEntry, name: string, value: unknown): StageEntry {
  return { ...entry, with: { ...entry.with, [name]: value } as StageEntry["with"] };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

function countProblem(name: string, value: unknown): string {
  return `${name} must be a whole number ≥ 1, got ${JSON.stringify(value)}`;
}
