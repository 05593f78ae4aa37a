/**
 * Figures that decide about a loop: when it ends, and which of its rounds is the best. Enters `STAGE.OUTPUT.METRIC` as a
 * manifest says it, and later the file that the stage wrote in a round; leaves a number.
 * @module
 */
import { readEvals } from "@/lib/contracts/evals.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Figure, IteratePlan, StagePlan } from "./blueprint.ts";
import type { FigureEntry, StageEntry } from "./manifest.ts";
import type { Pointer, Problem } from "./manifest_reader.ts";
import { lastMetrics } from "./metric_values.ts";
import { contractsOf } from "./ports.ts";
import { suggestion } from "./suggest.ts";

/** Where a figure is written, and where problems with it go. */
export interface FigureContext {
  readonly at: Pointer;
  readonly block: IteratePlan;
  /** the block's stages as written */
  readonly entries: Readonly<Record<string, StageEntry>>;
  readonly problems: Problem[];
}

/** The figure that `written` means, or undefined if that is none: the problems are then among those of `context`. */
export function resolveFigure(written: FigureEntry, context: FigureContext): Figure | undefined {
  const { at, block, problems } = context;
  const bad = (key: string, message: string) => {
    problems.push({ at: [...at, key], message });
    return undefined;
  };
  const [stageName = "", port = "", ...rest] = written.metric.split(".");
  const stage = block.stages.find((s) => s.name === stageName);
  if (!stage) {
    const names = block.stages.map((s) => s.name);
    return bad("metric", `block "${block.name}" has no stage "${stageName}"${suggestion(stageName, names)}`);
  }
  const contract = figureContract(stage, port);
  const [metric = ""] = rest;
  if (contract === undefined || rest.length !== 1 || metric === "") {
    const ports = Object.keys(stage.stage.outputs).filter((name) => figureContract(stage, name));
    const which = ports.length === 0 ? "it has no such output" : `those are ${ports.join(", ")}`;
    const wanted = `STAGE.OUTPUT.METRIC where OUTPUT of "${stageName}" is metrics@1 or evals@1`;
    return bad("metric", `"${written.metric}" must be ${wanted}: ${which}`);
  }
  if (contract === "metrics@1") {
    const needless = (["model", "mode"] as const).filter((key) => written[key] !== undefined);
    for (const key of needless) {
      bad(key, `"${key}" chooses among rows of evals@1: ${stageName}.${port} is metrics@1`);
    }
    return needless.length > 0 ? undefined : { stage, port, metric };
  }
  const models = modelNames(stage, context.entries[stageName]!);
  const model = written.model ?? (models?.length === 1 ? models[0] : undefined);
  if (models !== undefined && model === undefined) {
    return bad("metric", `"model" must say which model of "${stageName}" counts: ${models.join(", ")}`);
  }
  if (models !== undefined && !models.includes(model!)) {
    return bad("model", `"${stageName}" evaluates no model "${model}"${suggestion(model!, models)}`);
  }
  const row = { ...(model === undefined ? {} : { model }), mode: written.mode ?? "greedy" as const };
  return { stage, port, metric, row };
}

function figureContract(stage: StagePlan, port: string): "metrics@1" | "evals@1" | undefined {
  const output = Object.hasOwn(stage.stage.outputs, port) ? stage.stage.outputs[port] : undefined;
  const contracts = output === undefined ? [] : contractsOf(output);
  if (contracts.length !== 1) return undefined;
  return contracts[0] === "metrics@1" || contracts[0] === "evals@1" ? contracts[0] : undefined;
}

/** The names under which a stage is given its models; undefined where it takes no models by name, or none are given. */
function modelNames({ stage }: StagePlan, { in: bindings }: StageEntry): string[] | undefined {
  const maps = Object.entries(stage.inputs).filter(([, port]) =>
    port.many === "map" && contractsOf(port).includes("model")
  );
  const names = maps.flatMap(([name]) => {
    const written = bindings[name];
    return typeof written === "object" && written !== null && !Array.isArray(written)
      ? Object.keys(written)
      : [];
  });
  return names.length === 0 ? undefined : names;
}

/** `eval.score`, or `eval.score of policy, greedy`. */
export function figureName({ stage, metric, row }: Figure): string {
  const which = row === undefined ? "" : ` of ${row.model === undefined ? "" : `${row.model}, `}${row.mode}`;
  return `${stage.name}.${metric}${which}`;
}

/**
 * The value of `figure` in the file that its stage wrote: of `metrics@1` the last of its name, of `evals@1` the mean of
 * its row.
 * @throws {DataError} if the file does not hold it, or holds it for several models
 */
export function figureValue(path: string, figure: Figure): number {
  const { stage, metric, row } = figure;
  const bad = (wanted: string, found: string) => {
    const loop = stage.block!.name;
    return new DataError(`Cannot decide about loop "${loop}" as ${stage.path} must ${wanted}: ${found}`, {
      file: path,
    });
  };
  if (row === undefined) {
    const last = lastMetrics(path);
    if (last[metric] !== undefined) return last[metric];
    throw bad(`write metric "${metric}"`, `it wrote ${listed(Object.keys(last))}`);
  }
  const all = readEvals(path);
  const ofModel = all.filter((r) => row.model === undefined || r.model === row.model);
  const rows = ofModel.filter((r) => r.mode === row.mode);
  const found = rows.filter((r) => r.metric === metric);
  if (found.length === 1) return found[0]!.mean;
  const models = rows.map((r) => r.model);
  if (found.length > 1) throw bad(`have one model for "${metric}"`, `it has ${listed(models)}`);
  if (ofModel.length === 0) {
    throw bad(`evaluate model "${row.model}"`, `it evaluated ${listed(all.map((r) => r.model))}`);
  }
  if (rows.length === 0) {
    throw bad(`evaluate in mode ${row.mode}`, `it did in ${listed(ofModel.map((r) => r.mode))}`);
  }
  throw bad(`write metric "${metric}"`, `it wrote ${listed(rows.map((r) => r.metric))}`);
}

function listed(names: readonly string[]): string {
  return [...new Set(names)].sort().join(", ") || "none";
}
