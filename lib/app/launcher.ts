/**
 * `deno task pipeline`, `stage` and `experiment` start here, with permission to read and to start Deno. The launcher checks
 * flags and manifest and downloads models. Then it starts Deno again with exactly the paths that this command reads and
 * writes, with foreign functions, with no network but the hosts that parameters of stages name, and without permission to
 * start programs (except for the process executor).
 * @module
 */
import { join } from "node:path";
import { reachedHosts, URL_TOKEN, urlToken } from "@/lib/data/contracts/reached_hosts.ts";
import { modulePermissions, usedModules } from "@/lib/data/contracts/user_modules.ts";
import { childPrograms } from "@/lib/data/files/child_command.ts";
import { namedPaths } from "@/lib/data/files/file_pattern.ts";
import {
  BASE_ENVIRONMENT,
  COMMAND_ENVIRONMENT,
  DOWNLOAD_ENVIRONMENT,
} from "@/lib/data/files/kept_environment.ts";
import { refuseOutsideLinks } from "@/lib/data/files/linked_files.ts";
import { isDirectory } from "@/lib/data/files/paths.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import { checkInputsExist, inputRoot, resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import type { Manifest } from "@/lib/pipeline/engine/manifest.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { applySettings, type Setting } from "@/lib/pipeline/engine/settings.ts";
import { EXIT, UsageError } from "@/lib/compute/tensor/errors.ts";
import { CHILD_FLAGS, keptByFlag, readChildFlags, takeChildFlags } from "./child_flags.ts";
import { isHelp, runCommand } from "./command.ts";
import { EXPERIMENT_HELP, readExperimentFlags } from "./experiment_flags.ts";
import { readFlags } from "./flags.ts";
import { downloadReferences, hubInputs, withInputs } from "./hub_inputs.ts";
import { endWithTask, workingDirectory } from "./parent.ts";
import { PIPELINE_HELP, readPipelineFlags } from "./pipeline_flags.ts";
import { projectRoot } from "./project_root.ts";
import { relaunch } from "./relaunch.ts";
import { warnIfOrphansArePossible } from "./stopping.ts";
import {
  stageHosts,
  stageModules,
  stagePaths,
  withFiles,
  withLocalModels,
  withModules,
} from "./stage_arguments.ts";

/** What every command reads: of the project, and of the system. */
const READ = [
  ...["deno.json", "deno.lock", "lib", "stages", "pipelines", "node_modules"].map((name) =>
    join(projectRoot, name)
  ),
  ...["/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"],
];
/** What a run without user modules may start and read for them. */
const NO_MODULES: ReturnType<typeof modulePermissions> = { read: [], run: [] };
/** The working directory, colours, and what npm's yaml reads when it is loaded. */
const ENV = [...COMMAND_ENVIRONMENT, "NO_COLOR", "TERM"];

const COMMANDS: Readonly<
  Record<string, { help?: string; launch: (args: readonly string[]) => Promise<number> }>
> = {
  pipeline: { help: PIPELINE_HELP, launch: launchPipeline },
  stage: { launch: launchStage },
  experiment: { help: EXPERIMENT_HELP, launch: launchExperiment },
};

async function launch([name = "", ...args]: readonly string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    throw new UsageError(`Unknown command "${name}", known are ${Object.keys(COMMANDS).join(", ")}`);
  }
  // Deno replaces what is not UTF-8, so that files would be written under another name.
  const damaged = args.filter((arg) => arg.includes("\uFFFD"));
  if (damaged.length > 0) {
    throw new UsageError(`Arguments and paths must be UTF-8, got ${damaged.join(", ")}`);
  }
  if (command.help !== undefined && isHelp(args)) {
    printOut(command.help);
    return EXIT.ok;
  }
  endWithTask();
  warnIfOrphansArePossible();
  return await command.launch(args);
}

async function launchStage(all: readonly string[]): Promise<number> {
  const { rest: args, taken } = takeChildFlags(all),
    flags = readFlags(taken, { ...CHILD_FLAGS, maxWords: 0 });
  const { grace, keepEnv } = readChildFlags(flags);
  const own = args.filter((arg) => arg !== "--follow-links");
  flags.check();
  const { args: local, modules: checkers } = withModules(
    withFiles(await withLocalModels(own, workingDirectory()), workingDirectory()),
    workingDirectory(),
  );
  const { read, write } = stagePaths(local, workingDirectory());
  if (own.length === args.length) read.filter(isDirectory).forEach(refuseOutsideLinks);
  const modules = stageModules(local).length > 0 ? modulePermissions() : NO_MODULES;
  return await relaunch(new URL("stage_command.ts", import.meta.url), local, {
    read: [...READ, ...read, ...write, ...checkers, ...modules.read],
    write: [...write, ...deviceCache(local.some((arg) => arg.startsWith("--device")) ? "named" : "cpu")],
    ...network(stageHosts(local)),
    run: modules.run,
    ffi: true,
  }, { grace, set: await keptByFlag(keepEnv) });
}

/** An experiment reads what its runs read, to plan them, and writes its tables. Every run has its own permissions. */
async function launchExperiment(args: readonly string[]): Promise<number> {
  const flags = readExperimentFlags(args, { workingDirectory: workingDirectory(), root: projectRoot });
  return await relaunch(
    new URL("experiment_command.ts", import.meta.url),
    [...args, "--launched"],
    {
      read: ["/"],
      write: [flags.outDir, flags.storeDir],
      env: [...BASE_ENVIRONMENT, ...COMMAND_ENVIRONMENT, ...DOWNLOAD_ENVIRONMENT, URL_TOKEN],
      run: childPrograms(),
    },
    { lifeline: true, grace: flags.grace, set: await keptByFlag(flags.keepEnv) },
  );
}

async function launchPipeline(args: readonly string[]): Promise<number> {
  const flags = readPipelineFlags(args, { workingDirectory: workingDirectory(), root: projectRoot });
  const source = await readManifest(flags.manifest, flags.shown);
  const manifest = applySettings(source.manifest, flags.settings);
  const places = { root: inputRoot(flags.manifest), workingDirectory: workingDirectory() };
  const hub = hubInputs(manifest.inputs, flags.inputs);
  const local = await downloadReferences(Object.values(hub), flags.hubCache);
  const paths = Object.fromEntries(Object.entries(hub).map(([name, text]) => [name, local[text]!]));
  const inputs = resolveInputs(manifest, { ...flags.inputs, ...paths }, places);
  checkInputsExist(inputs);
  checkManifestHosts(source.manifest, flags.settings, flags.allowHosts);
  // The run may read the files that match a pattern but not list directories, so it gets their names.
  const given = Object.entries(inputs).filter((entry): entry is [string, string] => entry[1] !== null);
  const files = given.flatMap(([, path]) => namedPaths(path));
  if (!flags.followLinks) files.forEach(refuseOutsideLinks);
  const isInline = flags.executor === "inline", hosts = hostsOf(manifest);
  const modules = hasModules(manifest, inputs) ? modulePermissions() : NO_MODULES;
  return await relaunch(
    new URL("pipeline_command.ts", import.meta.url),
    [...withInputs(args, Object.fromEntries(given)), "--launched"],
    {
      read: [...READ, flags.manifest, ...files, flags.runDir, flags.storeDir, ...modules.read],
      write: [flags.runDir, flags.storeDir, ...deviceCache(flags.device)],
      ...(isInline ? { ...network(hosts), run: modules.run } : processes(hosts)),
      sys: ["systemMemoryInfo", "statfs"],
      ffi: true,
    },
    { lifeline: true, grace: flags.grace, set: await keptByFlag(flags.keepEnv) },
  );
}

/** Returns the folder where a device's check is remembered; none for the processor. */
function deviceCache(device: string): string[] {
  return device === "cpu" ? [] : [join(projectRoot, "node_modules", ".cache", "srppo")];
}

/** Returns the permission to reach `hosts` and to read the token for them. */
function network(
  hosts: readonly string[],
): { readonly net: readonly string[]; readonly env: readonly string[] } {
  checkUrlToken(hosts);
  return { net: hosts, env: hosts.length > 0 ? [...ENV, URL_TOKEN] : ENV };
}

/** Returns the permission to start processes of stages, which have their own permissions, and to pass them variables. */
function processes(
  hosts: readonly string[],
): { readonly run: readonly string[]; readonly env: readonly string[] } {
  checkUrlToken(hosts);
  const env = [...BASE_ENVIRONMENT, ...COMMAND_ENVIRONMENT, ...(hosts.length > 0 ? [URL_TOKEN] : [])];
  return { run: childPrograms(), env };
}

/** @throws {UsageError} before anything runs, where the token for a host would be refused */
function checkUrlToken(hosts: readonly string[]): void {
  for (const host of hosts) urlToken(Deno.env.get(URL_TOKEN), `http://${host}`);
}

/** Returns the entries of all stages of a manifest. */
function entriesOf({ stages }: Manifest) {
  return Object.values(stages).flatMap((entry) => "uses" in entry ? [entry] : Object.values(entry.stages));
}

/** Returns the hosts that parameters of the manifest's stages name. */
function hostsOf(manifest: Manifest): string[] {
  return [...new Set(entriesOf(manifest).flatMap((entry) => reachedHosts(entry.with)))];
}

/** Returns whether a stage of the manifest has a user's module. @param inputs of the manifest; null: not given */
function hasModules(manifest: Manifest, inputs: Readonly<Record<string, string | null>>): boolean {
  const absent = Object.keys(inputs).filter((name) => inputs[name] === null).map((name) => `inputs.${name}`);
  return entriesOf(manifest).some((entry) => {
    const given = Object.entries(entry.in).filter(([, from]) => !absent.includes(String(from)));
    return usedModules(Object.fromEntries(given), entry.with).length > 0;
  });
}

/** @throws {UsageError} listing the addresses that the manifest names without `--allow-host`; `--set` is the user's own */
function checkManifestHosts(
  manifest: Manifest,
  settings: readonly Setting[],
  allowed: readonly string[],
): void {
  const replaced = new Set(settings.map(({ path }) => path.join(".")));
  const named = Object.entries(manifest.stages).flatMap(([name, entry]) =>
    "uses" in entry
      ? [[name, entry] as const]
      : Object.entries(entry.stages).map(([inner, stage]) => [`${name}.${inner}`, stage] as const)
  );
  const bad = named.flatMap(([name, entry]) =>
    Object.entries(entry.with).flatMap(([parameter, value]) => {
      if (replaced.has(`${name}.${parameter}`)) return [];
      const hosts = reachedHosts({ [parameter]: value }).filter((host) => !allowed.includes(host));
      return hosts.map((host) => `${host} for ${name}.${parameter}`);
    })
  );
  if (bad.length === 0) return;
  throw new UsageError(`An address in a manifest requires --allow-host HOST:PORT, got ${bad.join(", ")}`);
}

await runCommand(launch);
