/**
 * `deno task pipeline`: plans a manifest, runs it, shows it, and writes the report.
 * @module
 */
import type { RunEvent } from "@/lib/contracts/events.ts";
import { outputError, printOut } from "@/lib/files/standard_output.ts";
import { openCodeDigests } from "@/lib/pipeline/code_digest.ts";
import { dryRun, dryRunText } from "@/lib/pipeline/dry_run.ts";
import { inlineExecutor } from "@/lib/pipeline/task.ts";
import { checkInputsExist, checkPatterns, inputRoot, resolveInputs } from "@/lib/pipeline/inputs.ts";
import { readManifest } from "@/lib/pipeline/manifest_reader.ts";
import { partOf } from "@/lib/pipeline/order.ts";
import { makeBlueprint } from "@/lib/pipeline/plan.ts";
import { processExecutor } from "@/lib/pipeline/process_executor.ts";
import { runPipeline } from "@/lib/pipeline/run.ts";
import { applySettings } from "@/lib/pipeline/settings.ts";
import { Store } from "@/lib/pipeline/store.ts";
import { createDisplay, summary, writeReport } from "@/lib/report/mod.ts";
import { EXIT } from "@/lib/tensor/errors.ts";
import { runCommand } from "./command.ts";
import { endWithParent, workingDirectory } from "./parent.ts";
import { PIPELINE_HELP, type PipelineFlags, readPipelineFlags } from "./pipeline_flags.ts";
import { projectRoot, stages } from "./registry.ts";

async function main(args: readonly string[]): Promise<number> {
  const flags = readPipelineFlags(args, { workingDirectory: workingDirectory(), root: projectRoot });
  if (flags.help) {
    print(PIPELINE_HELP);
    return EXIT.ok;
  }
  if (flags.launched) endWithParent();
  await execute(flags);
  return EXIT.ok;
}

async function execute(flags: PipelineFlags): Promise<void> {
  const source = await readManifest(flags.manifest, flags.shown);
  const manifest = applySettings(source.manifest, flags.settings);
  const places = { root: inputRoot(flags.manifest), workingDirectory: workingDirectory() };
  const inputs = resolveInputs(manifest, flags.inputs, places);
  const whole = await makeBlueprint({ ...source, manifest }, stages, {
    inputs,
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
  });
  const blueprint = flags.to === undefined ? whole : partOf(whole, flags.to);
  checkInputsExist(inputs);
  checkPatterns(blueprint);
  for (const warning of blueprint.warnings) warn(`Warning: ${warning}`);
  const common = {
    stages,
    code: openCodeDigests(projectRoot),
    runDir: flags.runDir,
    storeDir: flags.storeDir,
    fresh: flags.fresh,
  };
  if (flags.dryRun) {
    const prospects = await dryRun(blueprint, common);
    print(flags.json ? prospects.map((p) => `${JSON.stringify(p)}\n`).join("") : dryRunText(prospects));
    return;
  }
  if (flags.verify) {
    const bad = new Store(flags.storeDir).verify();
    warn(bad.length === 0 ? "The store is sound" : `Dropped from the store as damaged: ${bad.join(", ")}`);
  }
  const display = createDisplay({ json: flags.json, terminal: !flags.json && Deno.stdout.isTerminal() });
  const events: RunEvent[] = [];
  const stop = stopOnSignals();
  let text = "";
  try {
    const result = await runPipeline(blueprint, {
      ...common,
      executor: flags.executor === "process"
        ? processExecutor({ stages, root: projectRoot })
        : inlineExecutor(stages),
      threads: flags.threads,
      signal: stop,
      warn: (message) => warn(`Warning: ${message}`),
      listener: (event) => {
        events.push(event);
        show(() => display.event(event));
      },
    });
    await writeReport(result, events, { threads: flags.threads, executor: flags.executor });
    if (!flags.json) text = summary(result);
  } finally {
    show(display.end);
  }
  print(text);
}

/** Aborted at the first SIGINT or SIGTERM; a second SIGINT ends the process at once. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  const request = (again: boolean) => () => {
    // The process would not be missed: what was finished is in the store.
    if (stop.signal.aborted && again) Deno.exit(EXIT.tryAgain);
    if (!stop.signal.aborted) warn("Stopping after the step in hand (again to end at once)");
    stop.abort();
  };
  Deno.addSignalListener("SIGINT", request(true));
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", request(false));
    Deno.addSignalListener("SIGUSR1", request(false));
  }
  return stop.signal;
}

function print(text: string): void {
  printOut(text === "" || text.endsWith("\n") ? text : `${text}\n`);
}

/** Lets the display write to standard output. */
function show(write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw outputError(cause);
  }
}

function warn(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

if (import.meta.main) await runCommand(main);
