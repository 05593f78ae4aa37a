/**
 * `deno task pipeline`: plans a manifest, runs its stages, shows progress, and writes the report.
 * @module
 */
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { outputError, printOut } from "@/lib/data/files/standard_output.ts";
import { openCodeDigests } from "@/lib/pipeline/engine/code_digest.ts";
import { dryRun, dryRunText } from "@/lib/pipeline/engine/dry_run.ts";
import { checkInputsExist, checkPatterns, inputRoot, resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import { mermaidText } from "@/lib/pipeline/engine/mermaid.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { placedExecutor, usedExecutors } from "@/lib/pipeline/executors/placed_executor.ts";
import { checkSite, readSite } from "@/lib/pipeline/executors/site.ts";
import { allStages } from "@/lib/pipeline/engine/blueprint.ts";
import { runPipeline } from "@/lib/pipeline/engine/run.ts";
import { forcedStages, requireCached, selectPart } from "@/lib/pipeline/engine/selection.ts";
import { applySettings } from "@/lib/pipeline/engine/settings.ts";
import { Store } from "@/lib/pipeline/engine/store.ts";
import { StoreUsers } from "@/lib/pipeline/engine/store_users.ts";
import { verifiedText, verifyStore } from "@/lib/pipeline/engine/verify_store.ts";
import { createDisplay } from "@/lib/report/display.ts";
import { summary, writeReport } from "@/lib/report/write_report.ts";
import { checkDevice, openDevice } from "@/lib/compute/devices/devices.ts";
import { EXIT, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { runCommand, warn } from "./command.ts";
import { endWithParent, workingDirectory } from "./parent.ts";
import { PIPELINE_HELP, type PipelineFlags, readPipelineFlags } from "./pipeline_flags.ts";
import { projectRoot, stages } from "./registry.ts";
import { stopOnSignals } from "./stopping.ts";
import { timeSteps } from "./timed_steps.ts";

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
  const part = selectPart(whole, flags), { blueprint } = part;
  checkInputsExist(inputs);
  checkPatterns(blueprint);
  for (const warning of blueprint.warnings) warn(`Warning: ${warning}`);
  const site = flags.site === undefined ? {} : await readSite(flags.site, flags.shownSite!);
  checkSite(site, blueprint, flags.shownSite ?? "", flags.executor);
  const warnUser = (message: string) => warn(`Warning: ${message}`);
  const common = {
    stages,
    code: openCodeDigests(projectRoot),
    runDir: flags.runDir,
    storeDir: flags.storeDir,
    fresh: flags.fresh,
    forced: forcedStages(blueprint, flags.force),
  };
  const isPart = flags.from !== undefined || flags.only !== undefined;
  const nodes = isPart || flags.dryRun ? await dryRun(blueprint, common) : [];
  if (isPart) requireCached(nodes, part);
  if (flags.dryRun && flags.mermaid) return print(mermaidText(blueprint));
  if (flags.dryRun) {
    const text = () => dryRunText(nodes, flags.explain);
    return print(flags.json ? nodes.map((node) => `${JSON.stringify(node)}\n`).join("") : text());
  }
  if (flags.verify) {
    verify(flags.storeDir);
  }
  // Opened here too, so that a missing device is found before the first stage; other machines have their own.
  const executors = usedExecutors(site, flags.executor, allStages(blueprint).map(({ path }) => path));
  const isHere = executors.has("inline") || executors.has("process");
  const device = isHere
    ? openDevice(flags.device, { check: true, tell: warn }).provider.device
    : checkDevice(flags.device);
  const display = createDisplay({ json: flags.json, terminal: !flags.json && Deno.stdout.isTerminal() });
  const events: RunEvent[] = [];
  const stop = stopOnSignals(flags.grace);
  let text = "";
  try {
    const result = await runPipeline(blueprint, {
      ...common,
      executor: placedExecutor(allStages(blueprint).map(({ path }) => path), {
        site,
        ...(flags.executor && { flag: flags.executor }),
        stages,
        root: projectRoot,
        keepEnv: flags.keepEnv,
        kill: stop.kill,
        warn: warnUser,
      }),
      threads: flags.threads,
      device,
      ...(flags.estimate && { timeSteps }),
      signal: stop.signal,
      warn: warnUser,
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
  // Names, reasons and responses in it may be foreign.
  printOut(escapeControls(text === "" || text.endsWith("\n") ? text : `${text}\n`));
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
