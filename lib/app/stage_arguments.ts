/** The command line of `deno task stage`, as far as the launcher has to know it: paths, models and hosts. @module */
import { dirname, resolve } from "node:path";
import { reachedHosts } from "@/lib/data/contracts/reached_hosts.ts";
import { usedModules } from "@/lib/data/contracts/user_modules.ts";
import { namedPaths, resolvePattern } from "@/lib/data/files/file_pattern.ts";
import { isModelReference } from "@/lib/data/hub/model_reference.ts";
import { downloadReferences } from "./hub_inputs.ts";

/** A flag with a value: `--name=value` at `index`, or `--name` before it and `value` at `index`. */
interface FlagValue {
  readonly name: string;
  readonly value: string;
  readonly index: number;
  readonly isJoined: boolean;
}

function flagValues(args: readonly string[]): FlagValue[] {
  return args.flatMap((arg, k): FlagValue[] => {
    const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) return [];
    if (value !== undefined) return [{ name, value, index: k, isJoined: true }];
    const next = args[k + 1];
    return next === undefined ? [] : [{ name, value: next, index: k + 1, isJoined: false }];
  });
}

/** Values of `--in.…`, `--out.…` or `--scratch`; a flag directly after the flag is no path. */
function pathValues(args: readonly string[], kind: "in" | "out" | "scratch"): FlagValue[] {
  const isKind = new RegExp(`^${kind}\\b`);
  return flagValues(args).filter(({ name, value, isJoined }) =>
    isKind.test(name) && (isJoined || !value.startsWith("--"))
  );
}

/** Returns the absolute paths that the stage reads (`--in.…`) and the directories that it writes. */
export function stagePaths(
  args: readonly string[],
  workingDirectory: string,
): { readonly read: readonly string[]; readonly write: readonly string[] } {
  const paths = (kind: "in" | "out" | "scratch") =>
    pathValues(args, kind).map(({ value }) => resolve(workingDirectory, value));
  return {
    read: paths("in").flatMap(namedPaths),
    write: [...paths("out").map((path) => dirname(path)), ...paths("scratch")],
  };
}

/** Returns the hosts of `--…_url`, as `host:port`. Hyphens and underscores are equal, and flags may be repeated. */
export function stageHosts(args: readonly string[]): string[] {
  const hosts = flagValues(args).filter(({ name }) => !name.includes(".")).flatMap(({ name, value }) =>
    reachedHosts({ [name.replaceAll("-", "_")]: value })
  );
  return [...new Set(hosts)];
}

/** Returns the inputs and parameters that are user modules. */
export function stageModules(args: readonly string[]): string[] {
  const inputs = flagValues(args).filter(({ name }) => name.startsWith("in."));
  const given = Object.fromEntries(inputs.map(({ name, value }) => [name.slice("in.".length), value]));
  return [...usedModules(given, {}), ...parameterModules(args).flatMap(usedBy)];
}

/** Returns the flags of parameters that are paths of user modules. Hyphens and underscores are equal. */
function parameterModules(args: readonly string[]): FlagValue[] {
  return flagValues(args).filter((flag) => !flag.name.includes(".") && usedBy(flag).length > 0);
}

function usedBy({ name, value }: FlagValue): string[] {
  return usedModules({}, { [name.replaceAll("-", "_")]: value });
}

/** Returns the command line with absolute paths of modules in parameters, and these paths, which the stage reads. */
export function withModules(
  args: readonly string[],
  workingDirectory: string,
): { readonly args: readonly string[]; readonly modules: readonly string[] } {
  const changed = [...args];
  const modules = parameterModules(args).map(({ name, value, index, isJoined }) => {
    const path = resolve(workingDirectory, value);
    changed[index] = isJoined ? `--${name}=${path}` : path;
    return path;
  });
  return { args: changed, modules };
}

/**
 * Returns the command line with the directories of downloaded models instead of `hf:` references, and without
 * `--hub-cache`.
 * @throws {PrintedError} with the exit code of a failed download
 */
export async function withLocalModels(args: readonly string[], workingDirectory: string): Promise<string[]> {
  const cacheFlags = flagValues(args).filter(({ name }) => name === "hub-cache");
  const dropped = new Set(
    cacheFlags.flatMap(({ index, isJoined }) => isJoined ? [index] : [index - 1, index]),
  );
  const rest = args.filter((arg, k) => !dropped.has(k) && arg !== "--hub-cache");
  const cache = cacheFlags.at(-1)?.value;
  const references = pathValues(rest, "in").map(({ value }) => value).filter(isModelReference);
  const paths = await downloadReferences(
    references,
    cache === undefined ? undefined : resolve(workingDirectory, cache),
  );
  return mapInputs(rest, (value) => isModelReference(value) ? paths[value]! : value);
}

/** Returns the command line with the names of the matching files instead of patterns behind `--in.…`. */
export function withFiles(args: readonly string[], workingDirectory: string): string[] {
  return mapInputs(args, (value) => {
    const path = resolve(workingDirectory, value), files = resolvePattern(path);
    return files === path ? value : files;
  });
}

/** Returns `args` with `change` applied to every value of `--in.…`. */
function mapInputs(args: readonly string[], change: (value: string) => string): string[] {
  const changed = [...args];
  for (const { name, value, index, isJoined } of pathValues(args, "in")) {
    changed[index] = isJoined ? `--${name}=${change(value)}` : change(value);
  }
  return changed;
}
