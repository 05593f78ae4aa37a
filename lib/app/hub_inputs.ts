/**
 * Inputs that name models on the hub, or files by a pattern, made plain before a run: the launcher starts the process that
 * downloads models, finds the files that match, and goes on with their paths, so that no stage needs the network or a look at
 * folders.
 * @module
 */
import { join, resolve } from "node:path";
import { resolvePattern } from "@/lib/files/file_pattern.ts";
import { hubCache, hubEndpoint, hubHosts } from "@/lib/hub/hub_settings.ts";
import { isModelReference, parseModelReference } from "@/lib/hub/model_reference.ts";
import { EXIT } from "@/lib/tensor/errors.ts";
import { ToldError } from "./command.ts";
import { projectRoot } from "./project_root.ts";
import { permissionFlags } from "./relaunch.ts";

/** What the process that downloads may know of the environment. */
const ENV = ["HF_TOKEN"];

/** The download failed and has said why; the exit code is passed on. */
export class DownloadFailed extends ToldError {
  override name = "DownloadFailed";
  constructor(exitCode: number) {
    super(
      `Cannot start as the models must be there: the download ended with exit code ${exitCode}`,
      exitCode,
    );
  }
}

/**
 * The directories of `hf:` references, downloaded where they are not in the cache yet.
 * @param cache `--hub-cache`, absolute; default: below the user's cache directory
 * @returns directories by reference
 * @throws {UsageError} for references or settings that are none
 * @throws {DownloadFailed} with the exit code of the download, which has told why
 */
export async function downloadReferences(
  references: readonly string[],
  cache: string | undefined,
): Promise<Record<string, string>> {
  if (references.length === 0) return {};
  references.forEach(parseModelReference);
  const endpoint = hubEndpoint(Deno.env.get("HF_ENDPOINT"));
  const folder = hubCache(cache, {
    XDG_CACHE_HOME: Deno.env.get("XDG_CACHE_HOME"),
    HOME: Deno.env.get("HOME"),
  });
  const permissions = permissionFlags({
    read: [join(projectRoot, "node_modules"), folder],
    write: [folder],
    net: hubHosts(endpoint),
    env: ENV,
  });
  const module = new URL("hub_command.ts", import.meta.url).href;
  const { code, signal, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--cached-only", ...permissions, module, folder, endpoint, ...new Set(references)],
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (signal !== null || code !== EXIT.ok) throw new DownloadFailed(signal === null ? code : EXIT.tryAgain);
  return JSON.parse(new TextDecoder().decode(stdout)) as Record<string, string>;
}

/**
 * Names and references of the inputs that are on the hub: those of the manifest, unless the command line gives others.
 * Names that the manifest does not have are refused elsewhere, and nothing is downloaded for them.
 */
export function hubInputs(
  manifest: Readonly<Record<string, string | null>>,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(manifest).map(([name, path]) => [name, given[name] ?? path] as const)
      .filter((entry): entry is [string, string] => entry[1] !== null && isModelReference(entry[1])),
  );
}

/**
 * `args` of a pipeline with `--input NAME=…` replaced by the paths in `paths`, and those that the manifest named added.
 */
export function withInputs(args: readonly string[], paths: Readonly<Record<string, string>>): string[] {
  const nameOf = (value: string) => value.slice(0, value.indexOf("=")).replaceAll("-", "_");
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const isPair = args[i] === "--input" && i + 1 < args.length;
    const value = isPair ? args[i + 1]! : args[i]!.startsWith("--input=") ? args[i]!.slice(8) : undefined;
    if (value === undefined || !Object.hasOwn(paths, nameOf(value))) {
      kept.push(...args.slice(i, i + (isPair ? 2 : 1)));
    }
    if (isPair) i++;
  }
  return [...kept, ...Object.entries(paths).map(([name, path]) => `--input=${name}=${path}`)];
}

/**
 * A stage's command line with the directories of `hf:` values behind `--in.…`, and without `--hub-cache`.
 * @throws {DownloadFailed} as `downloadReferences()`
 */
export async function withLocalModels(args: readonly string[], workingDirectory: string): Promise<string[]> {
  const rest: string[] = [];
  let cache: string | undefined;
  for (let i = 0; i < args.length; i++) {
    const match = /^--hub-cache(?:=(.*))?$/s.exec(args[i]!);
    if (!match) rest.push(args[i]!);
    else cache = resolve(workingDirectory, match[1] ?? args[++i] ?? "");
  }
  const references: string[] = [];
  mapInputs(rest, (value) => {
    if (isModelReference(value)) references.push(value);
    return value;
  });
  const paths = await downloadReferences(references, cache);
  return mapInputs(rest, (value) => isModelReference(value) ? paths[value]! : value);
}

/** A stage's command line with the names of the files that match in place of patterns behind `--in.…`. */
export function withFiles(args: readonly string[], workingDirectory: string): string[] {
  return mapInputs(args, (value) => {
    const path = resolve(workingDirectory, value), files = resolvePattern(path);
    return files === path ? value : files;
  });
}

/** `args` with every value behind `--in.…` replaced by what `change` gives for it. */
function mapInputs(args: readonly string[], change: (value: string) => string): string[] {
  return args.map((arg, k) => {
    const joined = /^(--in\b[^=]*=)(.*)$/s.exec(arg);
    if (joined) return joined[1]! + change(joined[2]!);
    return /^--in\b[^=]*$/.test(args[k - 1] ?? "") && !arg.startsWith("--") ? change(arg) : arg;
  });
}
