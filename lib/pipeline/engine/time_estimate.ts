/**
 * Estimates how long the rest of a run takes: the work that each stage states times the time of a step, which the application measures
 * with the base's weights. Nothing of it is stored.
 * @module
 */
import type { StageTime } from "@/lib/data/contracts/events.ts";
import {
  type Expected,
  type Range,
  STEP_KINDS,
  type StepKind,
  times,
  total,
  type Workload,
} from "@/lib/data/contracts/workload.ts";
import type { Blueprint, Reference, StagePlan } from "./blueprint.ts";
import { allStages, referencesOf } from "./blueprint.ts";
import { contractsOf } from "./ports.ts";

/** Seconds per token of each kind of step. */
export type StepTimes = Readonly<Record<StepKind, Range>>;

/** What is timed. */
export interface TimeRequest {
  /** directory of the model whose weights are used */
  readonly model: string;
  /** demonstrations, for steps of a realistic length; undefined: there are none yet */
  readonly tokens: string | undefined;
  readonly prompts: string | undefined;
  readonly threads: number;
  /** device that computes; undefined: the processor */
  readonly device?: string | undefined;
  /** aborted when the run is interrupted */
  readonly signal: AbortSignal;
}

/** Measures the time of steps. */
export type TimeSteps = (request: TimeRequest) => Promise<StepTimes>;

/** What an estimate needs. */
export interface EstimateOptions extends Pick<TimeRequest, "threads" | "device" | "signal"> {
  /** how many actions of each stage (by its path) are not cached */
  readonly toRun: ReadonlyMap<string, number>;
  /** returns the path of an output of a finished stage outside blocks; undefined: it has not run yet */
  readonly outputOf: (stage: StagePlan, port: string) => Promise<string | undefined>;
  readonly timeSteps: TimeSteps;
}

/** The estimate of a run. */
export interface TimeEstimate {
  readonly stages: readonly StageTime[];
  /** paths of stages that are not estimated because their work is not known */
  readonly unknown: readonly string[];
}

/** Returns the estimate; undefined if there is no model to time, or no stage whose work is known. */
export async function estimateTime(
  blueprint: Blueprint,
  options: EstimateOptions,
): Promise<TimeEstimate | undefined> {
  const resolver = new Resolver(blueprint, options.outputOf);
  const works: { readonly plan: StagePlan; readonly work: Workload | undefined }[] = [];
  const files: Record<"model" | "tokens" | "prompts", string | undefined> = {
    model: undefined,
    tokens: undefined,
    prompts: undefined,
  };
  let expected: Expected = {};
  for (const plan of allStages(blueprint)) {
    if (plan.stage.workload === undefined) continue;
    const { inputs, counts } = await resolver.inputsOf(plan);
    files.model ??= fileOf(plan, inputs, "model");
    files.tokens ??= fileOf(plan, inputs, "tokens@1");
    files.prompts ??= fileOf(plan, inputs, "prompts@1");
    const iterations = plan.block?.kind === "iterate" ? plan.block.count : 1;
    const work = plan.stage.workload({
      params: plan.params as never, // checked by this stage's schema when it was planned
      inputs,
      counts,
      iterations,
      expected,
    });
    expected = { ...work?.expected, ...expected };
    works.push({ plan, work });
  }
  const toRun = works.filter(({ plan }) => (options.toRun.get(plan.path) ?? 0) > 0);
  const known = toRun.filter((it): it is { plan: StagePlan; work: Workload } => it.work !== undefined);
  if (files.model === undefined || known.length === 0) return undefined;
  const { model, tokens, prompts } = files, { threads, device, signal } = options;
  const perToken = await options.timeSteps({ model, tokens, prompts, threads, device, signal });
  return {
    stages: known.map(({ plan, work }) => stageTime(plan, secondsOf(work, perToken), options.toRun)),
    unknown: toRun.filter(({ work }) => work === undefined).map(({ plan }) => plan.path),
  };
}

function stageTime(plan: StagePlan, [least, most]: Range, toRun: EstimateOptions["toRun"]): StageTime {
  const endsEarly = plan.block?.kind === "iterate" && plan.block.until !== undefined;
  return {
    stage: plan.path,
    runs: toRun.get(plan.path)!,
    seconds_least: least,
    seconds_most: most,
    ...(endsEarly ? { may_end_early: true } : {}),
  };
}

/** Returns the bounds of the seconds of one run. */
function secondsOf(work: Workload, perToken: StepTimes): Range {
  return total(
    STEP_KINDS.flatMap((kind): Range[] => {
      const tokens = work[kind];
      if (tokens === undefined) return [];
      const [fast, slow] = perToken[kind];
      return [[times(tokens, fast)[0], times(tokens, slow)[1]]];
    }),
  );
}

/** Returns the known file of the first input of a contract. */
function fileOf(
  { stage }: StagePlan,
  inputs: Readonly<Record<string, string>>,
  contract: string,
): string | undefined {
  return Object.entries(inputs).find(([port]) => contractsOf(stage.inputs[port]!)[0] === contract)?.[1];
}

/** Finds files that exist before a stage runs. */
class Resolver {
  constructor(readonly blueprint: Blueprint, readonly outputOf: EstimateOptions["outputOf"]) {}

  /** Returns the paths of a stage's inputs of one value that are known, and how many values each bound input has. */
  async inputsOf({ bindings }: StagePlan): Promise<{
    readonly inputs: Readonly<Record<string, string>>;
    readonly counts: Readonly<Record<string, number>>;
  }> {
    const inputs: Record<string, string> = {}, counts: Record<string, number> = {};
    for (const [port, binding] of Object.entries(bindings)) {
      const references = referencesOf(binding);
      const count = references.reduce((sum, reference) => sum + this.#countOf(reference), 0);
      if (count > 0) counts[port] = count;
      const path = binding.kind === "one" ? await this.#pathOf(binding.reference) : undefined;
      if (path !== undefined) inputs[port] = path;
    }
    return { inputs, counts };
  }

  #countOf(reference: Reference): number {
    if (reference.from === "input") return this.blueprint.inputs[reference.name] === null ? 0 : 1;
    return reference.from === "all" ? reference.stage.block?.count ?? 1 : 1;
  }

  async #pathOf(reference: Reference): Promise<string | undefined> {
    if (reference.from === "input") return this.blueprint.inputs[reference.name] ?? undefined;
    if (reference.from === "stage" && reference.stage.block === undefined) {
      return await this.outputOf(reference.stage, reference.port);
    }
    if (reference.from !== "carry") return undefined;
    const start = reference.block.carry[reference.name];
    return start === null || start === undefined ? undefined : await this.#pathOf(start);
  }
}
