/**
 * `deno task pipeline`, `stage` and `experiment` begin here, with leave to read and to start Deno. The launcher checks flags
 * and manifest, has models downloaded that the hub holds, then starts Deno again with exactly the paths that this call
 * reads and writes, foreign functions, no network but for the hosts that parameters of its stages name, and no subprocess
 * (but for the process executor's).
 * @module
 */
import { join } from "node:path";
import { reachedHosts, URL_TOKEN } from "@/lib/contracts/reached_hosts.ts";
import { namedPaths } from "@/lib/files/file_pattern.ts";
import { printOut } from "@/lib/files/standard_output.ts";
import { checkInputsExist, inputRoot, resolveInputs } from "@/lib/pipeline/inputs.ts";
import type { Manifest } from "@/lib/pipeline/manifest.ts";
import { readManifest } from "@/lib/pipeline/manifest_reader.ts";
import { applySettings } from "@/lib/pipeline/settings.ts";
import { EXIT, UsageError } from "@/lib/tensor/errors.ts";
import { runCommand } from "./command.ts";
import { EXPERIMENT_HELP, readExperimentFlags } from "./experiment_flags.ts";
import { downloadReferences, hubInputs, withFiles, withInputs, withLocalModels } from "./hub_inputs.ts";
import { endWithTask, workingDirectory } from "./parent.ts";
import { PIPELINE_HELP, readPipelineFlags } from "./pipeline_flags.ts";
import { projectRoot } from "./project_root.ts";
import { relaunch } from "./relaunch.ts";
import { stageHosts, stagePaths } from "./stage_paths.ts";

/** What every command reads of the project and of the system. */
const READ = ["deno.json", "deno.lock", "lib", "stages", "pipelines", "node_modules"];
const SYSTEM = ["/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"];
/** Where to begin, colours, and what npm's yaml looks at when it is loaded. */
const ENV = ["LOG_TOKENS", "LOG_STREAM", "INIT_CWD", "NO_COLOR", "FORCE_COLOR", "TERM", "CI", "COLORTERM"];

async function launch(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  const code = READ.map((name) => join(projectRoot, name));
  endWithTask();
  if (command === "pipeline") return await launchPipeline(rest, code);
  if (command === "stage") {
    const local = withFiles(await withLocalModels(rest, workingDirectory()), workingDirectory());
    const { read, write } = stagePaths(local, workingDirectory());
    return await relaunch(new URL("stage_command.ts", import.meta.url), local, {
      read: [...code, ...SYSTEM, ...read, ...write],
      write,
      ...network(stageHosts(local)),
      ffi: true,
    });
  }
  if (command === "experiment") return await launchExperiment(rest);
  throw new UsageError(
    `Cannot launch "${command ?? ""}" as the command must be pipeline, stage or experiment`,
  );
}

/** An experiment reads what its runs read, to plan them; it writes its tables, and every run gets leave of its own. */
async function launchExperiment(args: readonly string[]): Promise<number> {
  const flags = readExperimentFlags(args, { workingDirectory: workingDirectory(), root: projectRoot });
  if (flags.help) {
    printOut(EXPERIMENT_HELP);
    return EXIT.ok;
  }
  return await relaunch(
    new URL("experiment_command.ts", import.meta.url),
    [...args, "--launched"],
    {
      read: ["/"],
      write: [flags.outDir, flags.storeDir],
      env: [...ENV, "HF_ENDPOINT", "XDG_CACHE_HOME", "HOME"],
      run: [Deno.execPath()],
    },
    true,
  );
}

async function launchPipeline(args: readonly string[], code: readonly string[]): Promise<number> {
  const flags = readPipelineFlags(args, { workingDirectory: workingDirectory(), root: projectRoot });
  if (flags.help) {
    printOut(PIPELINE_HELP);
    return EXIT.ok;
  }
  const source = await readManifest(flags.manifest, flags.shown);
  const manifest = applySettings(source.manifest, flags.settings);
  const places = { root: inputRoot(flags.manifest), workingDirectory: workingDirectory() };
  const hub = hubInputs(manifest.inputs, flags.inputs);
  const local = await downloadReferences(Object.values(hub), flags.hubCache);
  const paths = Object.fromEntries(Object.entries(hub).map(([name, text]) => [name, local[text]!]));
  const inputs = resolveInputs(manifest, { ...flags.inputs, ...paths }, places);
  checkInputsExist(inputs);
  // The run may read the files that a pattern matches and not look for them, so it is told their names.
  const given = Object.entries(inputs).filter((entry): entry is [string, string] => entry[1] !== null);
  const files = given.flatMap(([, path]) => namedPaths(path));
  return await relaunch(
    new URL("pipeline_command.ts", import.meta.url),
    [...withInputs(args, Object.fromEntries(given)), "--launched"],
    {
      read: [...code, ...SYSTEM, flags.manifest, ...files, flags.runDir, flags.storeDir],
      write: [flags.runDir, flags.storeDir],
      // A stage in a process of its own gets leave of its own.
      ...network(flags.executor === "process" ? [] : hostsOf(manifest)),
      sys: ["systemMemoryInfo", "statfs"],
      ...(flags.executor === "process" ? { run: [Deno.execPath()] } : {}),
      ffi: true,
    },
    true,
  );
}

/** Leave to reach `hosts`, and to read the token for them. */
function network(
  hosts: readonly string[],
): { readonly net: readonly string[]; readonly env: readonly string[] } {
  return { net: hosts, env: hosts.length > 0 ? [...ENV, URL_TOKEN] : ENV };
}

/** Hosts that parameters of the manifest's stages name. */
function hostsOf({ stages }: Manifest): string[] {
  const all = Object.values(stages).flatMap((entry) =>
    "uses" in entry ? [entry] : Object.values(entry.stages)
  );
  return [...new Set(all.flatMap((entry) => reachedHosts(entry.with)))];
}

await runCommand(launch);
