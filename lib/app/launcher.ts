/**
 * `deno task pipeline`, `stage` and `experiment` start here, with permission to read and to start Deno. The launcher checks
 * flags and manifest and downloads models. Then it starts Deno again with exactly the paths that this command reads and
 * writes, with foreign functions, with no network but the hosts that parameters of stages name, and without permission to
 * start programs (except for the process executor).
 * @module
 */
import { delimiter, join } from "node:path";
import { hostOf, reachedHosts, URL_TOKEN, urlToken } from "@/lib/data/contracts/reached_hosts.ts";
import { modulePermissions, usedModules } from "@/lib/data/contracts/user_modules.ts";
import { childPrograms } from "@/lib/data/files/child_command.ts";
import { namedPaths } from "@/lib/data/files/file_pattern.ts";
import {
  BASE_ENVIRONMENT,
  COMMAND_ENVIRONMENT,
  DOWNLOAD_ENVIRONMENT,
  environmentValue,
  EXECUTOR_ENVIRONMENT,
} from "@/lib/data/files/kept_environment.ts";
import { linkTargets, refuseOutsideLinks } from "@/lib/data/files/linked_files.ts";
import { isDirectory } from "@/lib/data/files/paths.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import { isModelReference } from "@/lib/data/hub/model_reference.ts";
import { BENCHMARK_TASKS } from "@/lib/model/benchmarks/tasks/named_tasks.ts";
import { checkInputsExist, inputRoot, resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import { executorPrograms, usedExecutors } from "@/lib/pipeline/executors/placed_executor.ts";
import { readSite } from "@/lib/pipeline/executors/site.ts";
import type { Manifest } from "@/lib/pipeline/engine/manifest.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { applySettings, type Setting } from "@/lib/pipeline/engine/settings.ts";
import { EXIT, UsageError } from "@/lib/compute/tensor/errors.ts";
import { CHILD_FLAGS, keptByFlag, readChildFlags, takeChildFlags } from "./child_flags.ts";
import { isHelp, runCommand } from "./command.ts";
import { detach } from "./detach.ts";
import { EVALUATE_HELP, readEvaluateFlags } from "./evaluate_flags.ts";
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
  ...["deno.json", "deno.lock", "lib", "stages", "pipelines", "node_modules", "fixtures/benchmarks"].map((
    name,
  ) => join(projectRoot, name)),
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
  evaluate: { help: EVALUATE_HELP, launch: launchEvaluate },
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
    read: [
      ...READ,
      ...read,
      ...read.filter(isDirectory).flatMap(linkTargets),
      ...write,
      ...checkers,
      ...modules.read,
    ],
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

/** An evaluation reads its models and data, and writes the directory of `--out`. */
async function launchEvaluate(args: readonly string[]): Promise<number> {
  const flags = readEvaluateFlags(args, {
    workingDirectory: workingDirectory(),
    isTask: (name) => BENCHMARK_TASKS.has(name),
  });
  const named = [...flags.models.map(({ path }) => path), ...Object.values(flags.data)];
  const local = await downloadReferences(named.filter(isModelReference), flags.hubCache);
  const resolved = args.map((arg) =>
    arg.replace(
      /^((?:--data=)?(?:[\w.-]+=)?)(hf:.*)$/,
      (whole, before, text) => local[text] === undefined ? whole : `${before}${local[text]}`,
    )
  );
  const files = [
    flags.baseline,
    flags.gamed,
    flags.checker,
    flags.reward,
    flags.perplexity,
    flags.demonstrations,
    flags.chatTemplate,
  ];
  const given = [
    ...named.map((path) => local[path] ?? path),
    ...flags.tasks.filter((task) => task.startsWith("/")),
    ...files.filter((path): path is string => path?.startsWith("/") ?? false),
  ];
  const modules = flags.checker === undefined ? NO_MODULES : modulePermissions();
  return await relaunch(new URL("evaluate_command.ts", import.meta.url), resolved, {
    read: [
      ...READ,
      ...given,
      ...(flags.out ? [flags.out] : []),
      ...modules.read,
    ],
    write: flags.out === undefined ? [] : [flags.out],
    ...network(flags.judgeUrl === undefined ? [] : [hostOf(flags.judgeUrl)!]),
    run: modules.run,
    ffi: true,
  }, { grace: flags.grace, set: await keptByFlag(flags.keepEnv) });
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
  const site = flags.site === undefined ? {} : await readSite(flags.site, flags.shownSite!);
  const used = usedExecutors(site, flags.executor, entriesByPath(manifest).map(([path]) => path));
  const isInline = [...used].every((name) => name === "inline"), hosts = hostsOf(manifest);
  const programs = Object.values(executorPrograms(used, site));
  const folders = programs.length === 0 ? [] : programFolders();
  const modules = hasModules(manifest, inputs) ? modulePermissions() : NO_MODULES;
  const command = {
    module: new URL("pipeline_command.ts", import.meta.url),
    args: [...withInputs(args.filter((arg) => arg !== "--detach"), Object.fromEntries(given)), "--launched"],
    permissions: {
      read: [
        ...READ,
        flags.manifest,
        ...(flags.site === undefined ? [] : [flags.site]),
        ...folders,
        ...files,
        ...files.flatMap(linkTargets),
        flags.runDir,
        flags.storeDir,
        ...modules.read,
      ],
      write: [flags.runDir, flags.storeDir, ...deviceCache(flags.device)],
      ...(isInline ? { ...network(hosts), run: modules.run } : processes(hosts, programs)),
      sys: ["systemMemoryInfo", "statfs"],
      ffi: true,
    },
    options: { lifeline: true, grace: flags.grace, set: await keptByFlag(flags.keepEnv) },
  };
  if (flags.detach) return await detach(command, flags.runDir);
  return await relaunch(command.module, command.args, command.permissions, command.options);
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
  programs: readonly string[],
): { readonly run: readonly string[]; readonly env: readonly string[] } {
  checkUrlToken(hosts);
  const own = programs.length > 0 ? EXECUTOR_ENVIRONMENT : [];
  const env = [...BASE_ENVIRONMENT, ...COMMAND_ENVIRONMENT, ...own, ...(hosts.length > 0 ? [URL_TOKEN] : [])];
  return { run: [...childPrograms(), ...programs], env };
}

/** @throws {UsageError} before anything runs, where the token for a host would be refused */
function checkUrlToken(hosts: readonly string[]): void {
  for (const host of hosts) urlToken(environmentValue(URL_TOKEN), `http://${host}`);
}

/** Returns the entries of all stages of a manifest, by path. */
function entriesByPath({ stages }: Manifest) {
  return Object.entries(stages).flatMap(([name, entry]) =>
    "uses" in entry
      ? [[name, entry] as const]
      : Object.entries(entry.stages).map(([inner, stage]) => [`${name}.${inner}`, stage] as const)
  );
}

function entriesOf(manifest: Manifest) {
  return entriesByPath(manifest).map(([, entry]) => entry);
}

/** Returns the folders in which programs of executors are looked up. */
function programFolders(): string[] {
  return (Deno.env.get("PATH") ?? "").split(delimiter).filter((folder) => folder !== "");
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
  const bad = entriesByPath(manifest).flatMap(([name, entry]) =>
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
