/**
 * `deno task pipeline`: plans a manifest, runs its stages, shows progress, and writes the report.
 * @module
 */
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { outputError, printOut } from "@/lib/data/files/standard_output.ts";
import { openCodeDigests } from "@/lib/pipeline/engine/code_digest.ts";
import { dryRun, dryRunText } from "@/lib/pipeline/engine/dry_run.ts";
import { inlineExecutor } from "@/lib/pipeline/engine/task.ts";
import { checkInputsExist, checkPatterns, inputRoot, resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { partOf } from "@/lib/pipeline/engine/order.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { processExecutor } from "@/lib/pipeline/engine/process_executor.ts";
import { runPipeline } from "@/lib/pipeline/engine/run.ts";
import { applySettings } from "@/lib/pipeline/engine/settings.ts";
import { Store } from "@/lib/pipeline/engine/store.ts";
import { StoreUsers } from "@/lib/pipeline/engine/store_users.ts";
import { verifiedText, verifyStore } from "@/lib/pipeline/engine/verify_store.ts";
import { createDisplay } from "@/lib/report/display.ts";
import { summary, writeReport } from "@/lib/report/write_report.ts";
import { openDevice } from "@/lib/compute/devices/devices.ts";
import { EXIT, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { runCommand, warn } from "./command.ts";
import { endWithParent, workingDirectory } from "./parent.ts";
import { PIPELINE_HELP, type PipelineFlags, readPipelineFlags } from "./pipeline_flags.ts";
import { projectRoot, stages } from "./registry.ts";
import { stopOnSignals } from "./stopping.ts";

async function main(args: readonly string[]): Promise<number> {
  const flags = readPipelineFlags(args, { workingDirectory: workingDirectory(), root: projectRoot });
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
    verify(flags.storeDir);
  }
  // Opened here too, so that a missing device is found before the first stage.
  const { device } = openDevice(flags.device, { check: true, tell: warn }).provider;
  const display = createDisplay({ json: flags.json, terminal: !flags.json && Deno.stdout.isTerminal() });
  const events: RunEvent[] = [];
  const stop = stopOnSignals(flags.grace);
  let text = "";
  try {
    const result = await runPipeline(blueprint, {
      ...common,
      executor: flags.executor === "process"
        ? processExecutor({ stages, root: projectRoot, keepEnv: flags.keepEnv, kill: stop.kill })
        : inlineExecutor(stages),
      threads: flags.threads,
      device,
      signal: stop.signal,
      warn: (message) => warn(`Warning: ${message}`),
      listener: (event) => {
        events.push(event);
        show(() => display.event(event));
      },
    });
    await writeReport(result, events);
    if (!flags.json) text = summary(result);
  } finally {
    show(() => display.end());
  }
  print(text);
}

/** Checks the store before a run. @throws {TryAgainError} if another run uses it */
function verify(storeDir: string): void {
  const store = new Store(storeDir);
  using users = new StoreUsers(storeDir);
  const isAlone = users.ifAlone(() => warn(verifiedText(verifyStore(store))));
  if (!isAlone) {
    throw new TryAgainError(`Store ${storeDir} is in use by another run: --verify requires it alone`);
  }
}

function print(text: string): void {
  printOut(text === "" || text.endsWith("\n") ? text : `${text}\n`);
}

/** Calls `write`, which writes to standard output, and explains its errors. */
function show(write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw outputError(cause);
  }
}

if (import.meta.main) await runCommand(main, PIPELINE_HELP);
