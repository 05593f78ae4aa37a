/**
 * Metrics that decide when a loop ends and which of its iterations is best: resolves `STAGE.OUTPUT.METRIC` of a manifest,
 * and reads the value from the file that the stage wrote in an iteration.
 * @module
 */
import { readEvals } from "@/lib/data/contracts/evals.ts";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Condition, LoopMetric, StagePlan } from "./blueprint.ts";
import type { MetricEntry, StageEntry } from "./manifest.ts";
import type { PlacedProblem, YamlPath } from "./placed_yaml.ts";
import { contractsOf } from "./ports.ts";
import { suggestion, unknownName } from "./suggest.ts";

/** Where a metric is named, and where problems with it are added. */
export interface MetricContext {
  readonly at: YamlPath;
  /** stages that may write it, and where they are: `block "ppo"` */
  readonly stages: readonly StagePlan[];
  readonly place: string;
  /** the stages as written; without them, only metrics@1 may be named */
  readonly entries?: Readonly<Record<string, StageEntry>>;
  readonly problems: PlacedProblem[];
}

/** Returns the metric that `written` names, or undefined if there is none: then the context has the problems. */
export function resolveMetric(written: MetricEntry, context: MetricContext): LoopMetric | undefined {
  const { at, stages, problems } = context;
  const bad = (key: string, message: string) => {
    problems.push({ at: [...at, key], message });
    return undefined;
  };
  const [stageName = "", port = "", metric = "", ...rest] = written.metric.split(".");
  const stage = stages.find((s) => s.name === stageName);
  if (!stage) {
    return bad("metric", `${context.place}: ${unknownName("stage", stageName, stages.map((s) => s.name))}`);
  }
  const allowed = context.entries ? ["metrics@1", "evals@1"] : ["metrics@1"];
  const isAllowed = (name: string) => allowed.includes(metricContract(stage, name) ?? "");
  const contract = metricContract(stage, port);
  if (!isAllowed(port) || metric === "" || rest.length > 0) {
    const ports = Object.keys(stage.stage.outputs).filter(isAllowed);
    const which = ports.length === 0 ? "which it does not have" : ports.join(", ");
    return bad(
      "metric",
      `"metric" must name an output of "${stageName}" that is ${
        allowed.join(" or ")
      } (${which}) as STAGE.OUTPUT.METRIC, ` + `got "${written.metric}"`,
    );
  }
  if (contract === "metrics@1") {
    const extra = (["model", "mode"] as const).filter((key) => written[key] !== undefined);
    for (const key of extra) {
      bad(key, `"${key}" selects a row of evals@1, but ${stageName}.${port} is metrics@1`);
    }
    return extra.length > 0 ? undefined : { stage, port, metric };
  }
  const models = modelNames(stage, context.entries![stageName]!);
  const model = written.model ?? (models?.length === 1 ? models[0] : undefined);
  if (models !== undefined && model === undefined) {
    return bad("metric", `"model" is required, as "${stageName}" evaluates several: ${models.join(", ")}`);
  }
  if (models !== undefined && !models.includes(model!)) {
    return bad("model", `"${stageName}" does not evaluate model "${model}"${suggestion(model!, models)}`);
  }
  const row = { ...(model === undefined ? {} : { model }), mode: written.mode ?? "greedy" as const };
  return { stage, port, metric, row };
}

function metricContract(stage: StagePlan, port: string): "metrics@1" | "evals@1" | undefined {
  const output = Object.hasOwn(stage.stage.outputs, port) ? stage.stage.outputs[port] : undefined;
  const [contract, other] = output === undefined ? [] : contractsOf(output);
  if (other !== undefined) return undefined;
  return contract === "metrics@1" || contract === "evals@1" ? contract : undefined;
}

/** Returns the names of a stage's models; undefined if it does not take models by name, or none are given. */
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

/** Returns `eval.score`, or `eval.score of policy, greedy`. */
export function metricLabel({ stage, metric, row }: LoopMetric): string {
  const which = row === undefined ? "" : ` of ${row.model === undefined ? "" : `${row.model}, `}${row.mode}`;
  return `${stage.name}.${metric}${which}`;
}

/** Returns whether the condition holds for a value of its metric. */
export function conditionHolds({ above, below }: Condition, value: number): boolean {
  return above !== undefined ? value > above : value < below!;
}

/** Returns `ppo.kl above 5`. */
export function conditionText({ metric, above, below }: Condition): string {
  return `${metricLabel(metric)} ${above !== undefined ? `above ${above}` : `below ${below}`}`;
}

/**
 * Returns the value of `metric` in the file that its stage wrote: for `metrics@1` the last of its name, for `evals@1` the
 * mean of its row.
 * @throws {DataError} if the file does not have it, or has it for several models
 */
export function readLoopMetric(path: string, { stage, metric, row }: LoopMetric): number {
  const bad = (required: string, found: readonly string[]) => {
    const names = [...new Set(found)].sort().join(", ") || "none";
    const reader = stage.block ? `Loop "${stage.block.name}"` : "The condition of a loop (when)";
    const place = `${reader} requires that ${stage.path} ${required}`;
    return new DataError(`${place}, got ${names}`, { file: path });
  };
  if (row === undefined) {
    const last = lastMetrics(path);
    if (last[metric] !== undefined) return last[metric];
    throw bad(`writes metric "${metric}"`, Object.keys(last));
  }
  const all = readEvals(path);
  const ofModel = all.filter((r) => row.model === undefined || r.model === row.model);
  const rows = ofModel.filter((r) => r.mode === row.mode);
  const found = rows.filter((r) => r.metric === metric);
  if (found.length === 1) return found[0]!.mean;
  if (found.length > 1) throw bad(`evaluates one model for "${metric}"`, rows.map((r) => r.model));
  if (ofModel.length === 0) throw bad(`evaluates model "${row.model}"`, all.map((r) => r.model));
  if (rows.length === 0) throw bad(`evaluates in mode ${row.mode}`, ofModel.map((r) => r.mode));
  throw bad(`writes metric "${metric}"`, rows.map((r) => r.metric));
}

/** Returns the last value of every name in the metrics file at `path`. */
export function lastMetrics(path: string): Record<string, number> {
  return Object.fromEntries(readMetrics(path).map(({ name, value }) => [name, value]));
}
