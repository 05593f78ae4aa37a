/**
 * Plans an experiment's runs before any starts: checks every manifest with its changes, and finds out which runs are
 * done.
 * @module
 */
import { isMissing } from "@/lib/data/files/paths.ts";
import { join, resolve } from "node:path";
import { publishFile } from "@/lib/data/files/publish.ts";
import { digestJson } from "@/lib/data/files/digest.ts";
import type { Blueprint, StageSource } from "@/lib/pipeline/engine/blueprint.ts";
import type { CodeDigests } from "@/lib/pipeline/engine/code_digest.ts";
import { dryRun } from "@/lib/pipeline/engine/dry_run.ts";
import { checkInputsExist, checkPatterns, inputRoot, resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import type { ManifestSource } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { applySettings, parseSettings } from "@/lib/pipeline/engine/settings.ts";
import { suggestion } from "@/lib/pipeline/engine/suggest.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { preparedReference } from "./experiment_reader.ts";
import type { ExperimentRuns, RunSpec } from "./resolve_runs.ts";
import { evaluatedModels } from "./lineage.ts";

/** Project, directories and stages. Paths are absolute. */
export interface PlanContext {
  /** directory of the project: paths of manifests are relative to it */
  readonly root: string;
  readonly outDir: string;
  readonly storeDir: string;
  readonly stages: StageSource;
  readonly code: CodeDigests;
  /** a manifest by its path as written */
  readonly read: (path: string) => Promise<ManifestSource>;
  /** directories of models on the hub, by `hf:` reference */
  readonly hub: Readonly<Record<string, string>>;
}

/** Progress of a run. */
export interface RunState {
  /** all of its stages ran with this plan, and its report exists */
  readonly isDone: boolean;
  /** stages that would run */
  readonly toRun: number;
  readonly stages: number;
}

/** Returns the run directory of `run`. */
export function runDirectory(run: RunSpec, { outDir }: Pick<PlanContext, "outDir">): string {
  return run.store === "prepare" ? join(outDir, run.name) : join(outDir, "runs", run.name);
}

/** Returns the store of `run`: a part of the experiment's, so that runs of other seeds need not wait for its cleanup. */
export function runStore(run: RunSpec, { storeDir }: Pick<PlanContext, "storeDir">): string {
  return join(storeDir, run.store);
}

/**
 * Returns the inputs of `run` for `--input`: models on the hub as directories, and paths of outputs of prepared runs.
 * @throws {DataError} if a prepared run has not written its report
 */
export function locatedInputs(
  run: RunSpec,
  prepared: ExperimentRuns["prepared"],
  context: PlanContext,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(run.inputs).map(([name, path]) => {
      const reference = preparedReference(path);
      if (reference !== undefined) {
        return [name, preparedOutput(prepared[reference.run]!, reference.output, context)];
      }
      return [name, context.hub[path] ?? path];
    }),
  );
}

function preparedOutput(run: RunSpec, output: string, context: PlanContext): string {
  const directory = runDirectory(run, context);
  const file = join(directory, "report.json");
  try {
    const { outputs } = JSON.parse(Deno.readTextFileSync(file)) as { outputs: Record<string, string> };
    return join(directory, outputs[output]!);
  } catch (cause) {
    throw new DataError(
      `Input prepare.${
        run.name.slice("prepare/".length)
      }.${output} requires a finished run with that output, got none in ${file}`,
      { file },
      { cause },
    );
  }
}

/** Returns the plan of `run` with the given inputs. */
export async function blueprintOf(
  run: RunSpec,
  inputs: Readonly<Record<string, string>>,
  { root, stages, read, hub }: PlanContext,
): Promise<Blueprint> {
  const source = await read(run.manifest);
  const manifest = applySettings(source.manifest, parseSettings(run.settings));
  const own = Object.entries(manifest.inputs).flatMap(([name, path]) =>
    path !== null && hub[path] !== undefined ? [[name, hub[path]] as const] : []
  );
  const places = { root: inputRoot(resolve(root, run.manifest)), workingDirectory: root };
  const resolved = resolveInputs(manifest, { ...Object.fromEntries(own), ...inputs }, places);
  return await makeBlueprint({ ...source, manifest }, stages, { inputs: resolved, seed: run.seed });
}

/**
 * Checks all plans: stages, parameters, ports, and that inputs, evaluated models and prepared outputs exist.
 * @returns the plan of every run, with provisional paths of prepared outputs
 * @throws {ManifestError} of the first manifest with problems, listing all of them
 * @throws {UsageError} listing models and outputs that do not exist
 * @throws {DataError} listing inputs that do not exist
 */
export async function checkRuns(
  { prepared, runs, cells }: ExperimentRuns,
  context: PlanContext,
): Promise<ReadonlyMap<RunSpec, Blueprint>> {
  const plans = new Map<RunSpec, Blueprint>();
  const problems = new Set<string>();
  for (const run of [...Object.values(prepared), ...runs]) {
    const inputs: Record<string, string> = {};
    for (const [name, path] of Object.entries(run.inputs)) {
      const reference = preparedReference(path);
      inputs[name] = reference === undefined ? context.hub[path] ?? path : join(context.outDir, path);
      if (reference === undefined) continue;
      const { outputs } = (await context.read(prepared[reference.run]!.manifest)).manifest;
      if (Object.hasOwn(outputs, reference.output)) continue;
      problems.add(`${path}: unknown output${suggestion(reference.output, Object.keys(outputs))}`);
    }
    const plan = await blueprintOf(run, inputs, context);
    const waiting = new Set(Object.keys(run.inputs).filter((name) => preparedReference(run.inputs[name]!)));
    checkInputsExist(Object.fromEntries(Object.entries(plan.inputs).filter(([name]) => !waiting.has(name))));
    checkPatterns(plan);
    plans.set(run, plan);
  }
  for (const { arm, model, run } of cells) {
    const models = [...evaluatedModels(plans.get(run)!).keys()];
    if (models.includes(model)) continue;
    problems.add(`arm "${arm}": ${run.manifest} evaluates no model "${model}"${suggestion(model, models)}`);
  }
  if (problems.size > 0) {
    throw new UsageError(`Unknown models or outputs in the experiment: ${listed([...problems])}`);
  }
  return plans;
}

/** Returns the progress of `run`, from the keys of its plan. */
export async function stateOf(run: RunSpec, plan: Blueprint, context: PlanContext): Promise<RunState> {
  const { keys, toRun, stages } = await keysOf(run, plan, context);
  const directory = runDirectory(run, context);
  const isDone = keys !== undefined && textOf(markFile(directory)) === markText(keys) &&
    textOf(join(directory, "report.json")) !== undefined;
  return { isDone, toRun, stages };
}

/** Records that `run` is done, so that it is not started again. */
export async function markDone(run: RunSpec, plan: Blueprint, context: PlanContext): Promise<void> {
  const { keys } = await keysOf(run, plan, context);
  if (keys === undefined) return;
  const file = markFile(runDirectory(run, context));
  await publishFile(file, (temporary) => Deno.writeTextFile(temporary, markText(keys)));
}

/** Returns a digest of the keys of all nodes; undefined while one is not in the store. */
async function keysOf(
  run: RunSpec,
  plan: Blueprint,
  context: PlanContext,
): Promise<{ readonly keys: string | undefined; readonly toRun: number; readonly stages: number }> {
  const { stages, code } = context;
  const options = { stages, code, runDir: runDirectory(run, context), storeDir: runStore(run, context) };
  const prospects = await dryRun(plan, options);
  const toRun = prospects.filter((p) => p.runs).length;
  const keys = toRun > 0
    ? undefined
    : digestJson(Object.fromEntries(prospects.map(({ id, key = "" }) => [id, key])));
  return { keys, toRun, stages: prospects.length };
}

function markFile(directory: string): string {
  return join(directory, "experiment.json");
}

function markText(keys: string): string {
  return `${JSON.stringify({ version: 1, keys })}\n`;
}

function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
