/**
 * `deno task experiment`: runs the runs of an experiment that are not done, and writes its tables and report.
 * @module
 */
import { join, resolve } from "node:path";
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import { ExperimentDisplay } from "@/lib/pipeline/experiments/experiment_display.ts";
import { readExperiment, withArms } from "@/lib/pipeline/experiments/experiment_reader.ts";
import type { PlanContext } from "@/lib/pipeline/experiments/plan_runs.ts";
import { type ExperimentRuns, resolveRuns, type RunSpec } from "@/lib/pipeline/experiments/resolve_runs.ts";
import { type Outlook, outlook, runExperiment } from "@/lib/pipeline/experiments/run_experiment.ts";
import { experimentSummary } from "@/lib/pipeline/experiments/terminal_table.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import { openCodeDigests } from "@/lib/pipeline/engine/code_digest.ts";
import { inputRoot } from "@/lib/pipeline/engine/inputs.ts";
import { type ManifestSource, readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { parseSettings } from "@/lib/pipeline/engine/settings.ts";
import { reachedHosts } from "@/lib/data/contracts/reached_hosts.ts";
import { counted } from "@/lib/report/format.ts";
import { EXIT, UsageError } from "@/lib/compute/tensor/errors.ts";
import { runCommand, warn } from "./command.ts";
import { EXPERIMENT_HELP, type ExperimentFlags, readExperimentFlags } from "./experiment_flags.ts";
import { downloadReferences, hubInputs } from "./hub_inputs.ts";
import { endWithParent, workingDirectory } from "./parent.ts";
import { runPipelineProcess } from "./pipeline_process.ts";
import { projectRoot, stages } from "./registry.ts";
import { stopOnSignals } from "./stopping.ts";

async function main(args: readonly string[]): Promise<number> {
  const flags = readExperimentFlags(args, { workingDirectory: workingDirectory(), root: projectRoot });
  if (flags.help) {
    printOut(EXPERIMENT_HELP);
    return EXIT.ok;
  }
  if (flags.launched) endWithParent();
  return await execute(flags);
}

async function execute(flags: ExperimentFlags): Promise<number> {
  const whole = await readExperiment(flags.file, flags.shown);
  const source = flags.arms === undefined ? whole : withArms(whole, flags.arms);
  const root = inputRoot(flags.file);
  const read = manifestsOf(root);
  const overrides = { set: flags.set, ...(flags.seeds === undefined ? {} : { seeds: flags.seeds }) };
  const runs = await resolveRuns(source, overrides, {
    root,
    read: async (path) => (await read(path)).manifest,
  });
  checkExperimentHosts([...Object.values(runs.prepared), ...runs.runs], flags);
  const context: PlanContext = {
    root,
    outDir: flags.outDir,
    storeDir: flags.storeDir,
    stages,
    code: openCodeDigests(projectRoot),
    read,
    hub: await downloadAll(runs, read, flags.hubCache),
  };
  if (flags.dryRun) {
    const found = await outlook(runs, context);
    printOut(escapeControls(found.map((entry) => flags.json ? jsonLine(entry) : textLine(entry)).join("")));
    return EXIT.ok;
  }
  const terminal = !flags.json && Deno.stdout.isTerminal();
  const display = new ExperimentDisplay({ json: flags.json, terminal, write: printOut, now: Date.now });
  const { signal, kill } = stopOnSignals(flags.grace);
  const { report, code } = await runExperiment(source, runs, {
    context,
    jobs: flags.jobs,
    threads: flags.threads,
    signal,
    display,
    warn,
    start: (args, listener) => runPipelineProcess(args, { root, signal, kill, ...flags, listener }),
  });
  const summary = experimentSummary(report, { colours: terminal && !Deno.noColor });
  display.ended(flags.outDir, `${summary}\n\nreport  ${join(flags.outDir, "report.html")}`);
  return code;
}

/**
 * Checks the addresses that the settings of an experiment's file name: they reach the runs as `--set`, which is otherwise the
 * user's own. Those of the manifests are checked by the runs.
 * @throws {UsageError} listing those that no `--allow-host` names
 */
function checkExperimentHosts(
  runs: readonly RunSpec[],
  { set, allowHosts }: Pick<ExperimentFlags, "set" | "allowHosts">,
): void {
  const own = new Set(set), texts = new Set(runs.flatMap(({ settings }) => settings));
  const foreign = parseSettings([...texts].filter((text) => !own.has(text)));
  const bad = foreign.flatMap(({ path, value }) => {
    const hosts = reachedHosts({ [path.at(-1)!]: value }).filter((host) => !allowHosts.includes(host));
    return hosts.map((host) => `${host} for ${path.join(".")}`);
  });
  if (bad.length === 0) return;
  throw new UsageError(`An address in an experiment requires --allow-host HOST:PORT, got ${bad.join(", ")}`);
}

/** Returns a reader of manifests that reads each file once. */
function manifestsOf(root: string): (path: string) => Promise<ManifestSource> {
  const known = new Map<string, Promise<ManifestSource>>();
  return (path) => {
    const source = known.get(path) ?? readManifest(resolve(root, path), path);
    known.set(path, source);
    return source;
  };
}

/** Returns directories of all models on the hub that some run reads, downloaded unless they are in the cache. */
async function downloadAll(
  { prepared, runs }: ExperimentRuns,
  read: (path: string) => Promise<ManifestSource>,
  cache: string | undefined,
): Promise<Record<string, string>> {
  const references = new Set<string>();
  for (const run of [...Object.values(prepared), ...runs]) {
    const { manifest } = await read(run.manifest);
    Object.values(hubInputs(manifest.inputs, run.inputs)).forEach((reference) => references.add(reference));
  }
  return await downloadReferences([...references], cache);
}

function jsonLine({ run, isDone, toRun, stages }: Outlook): string {
  return `${JSON.stringify({ run: run.name, seed: run.seed, done: isDone, to_run: toRun, stages })}\n`;
}

function textLine({ run, isDone, toRun, stages }: Outlook): string {
  const what = isDone
    ? "done"
    : toRun === undefined
    ? "depends on a run under prepare that is not done"
    : `${counted(toRun, "stage")} of ${stages} to run`;
  return `${run.name}  ${what}\n`;
}

if (import.meta.main) await runCommand(main);
