/**
 * Inputs that name models on the Hugging Face hub. The launcher downloads them in a separate process and replaces them by
 * paths, so that no stage needs the network.
 * @module
 */
import { join } from "node:path";
import { DOWNLOAD_ENVIRONMENT, environmentValue } from "@/lib/data/files/kept_environment.ts";
import { hubCache, hubEndpoint, hubHosts } from "@/lib/data/hub/hub_settings.ts";
import { isModelReference, parseModelReference } from "@/lib/data/hub/model_reference.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { PrintedError } from "./command.ts";
import { projectRoot } from "./project_root.ts";
import { runDeno } from "./relaunch.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/**
 * Downloads the models of `hf:` references that are not cached yet, and returns directories by reference.
 * @param cache `--hub-cache`, absolute; default: below the user's cache directory
 * @throws {UsageError} for invalid references or settings
 * @throws {PrintedError} with the exit code of a failed download
 */
export async function downloadReferences(
  references: readonly string[],
  cache: string | undefined,
): Promise<Record<string, string>> {
  if (references.length === 0) return {};
  references.forEach(parseModelReference);
  const endpoint = hubEndpoint(environmentValue("HF_ENDPOINT"));
  const folder = hubCache(cache, {
    XDG_CACHE_HOME: environmentValue("XDG_CACHE_HOME"),
    HOME: environmentValue("HOME"),
  });
  const module = new URL("hub_command.ts", import.meta.url);
  const { code, output } = await runDeno(module, [folder, endpoint, ...new Set(references)], {
    read: [join(projectRoot, "node_modules"), folder],
    write: [folder],
    net: hubHosts(endpoint),
    env: DOWNLOAD_ENVIRONMENT,
    sys: ["statfs"],
  });
  if (code !== EXIT.ok) throw new PrintedError(`Downloading models failed with exit code ${code}`, code);
  return JSON.parse(output) as Record<string, string>;
}

/**
 * Returns the `hf:` references of the inputs by name: those of the manifest unless the command line replaces them. Names
 * that the manifest does not have are ignored here and refused elsewhere.
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

/** Returns the arguments of a pipeline with `--input` for all of `paths` instead of those given for the same names. */
export function withInputs(args: readonly string[], paths: Readonly<Record<string, string>>): string[] {
  const nameOf = (value: string) => value.slice(0, value.indexOf("=")).replaceAll("-", "_");
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const isPair = args[i] === "--input" && i + 1 < args.length;
    const value = isPair ? args[i + 1]! : args[i]!.startsWith("--input=") ? args[i]!.slice(8) : undefined;
    if (value === undefined || !Object.hasOwn(paths, nameOf(value))) {
      append(kept, args.slice(i, i + (isPair ? 2 : 1)));
    }
    if (isPair) i++;
  }
  return [...kept, ...Object.entries(paths).map(([name, path]) => `--input=${name}=${path}`)];
}
