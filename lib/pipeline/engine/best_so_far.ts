/**
 * Which outputs of a loop's iterations must be kept because `BLOCK.best` may need them: those of the best iteration so
 * far, and those of iterations whose metric is not known yet.
 * @module
 */
import {
  allStages,
  type Blueprint,
  isLoop,
  type IteratePlan,
  lastIteration,
  type LoopMetric,
  type Reference,
  referencesOf,
  runsInIteration,
  type StagePlan,
} from "./blueprint.ts";
import { isBetter } from "./iterations.ts";
import { givesModels } from "./ports.ts";

interface Loop {
  readonly block: IteratePlan;
  /** carried names that must be available for the best iteration */
  readonly names: readonly string[];
  /** the deciding metric by iteration, as far as it is known */
  readonly values: Map<number, number>;
}

/** The best iterations of the loops of one run so far. */
export class BestSoFar {
  readonly #loops: readonly Loop[];

  constructor(blueprint: Blueprint) {
    this.#loops = blueprint.entries.filter(isLoop).filter(({ best }) => best !== undefined)
      .map((block) => ({ block, names: neededNames(blueprint, block), values: new Map() }));
  }

  /** Notes a metric of a finished iteration. Returns false if it decides the best iteration of no loop. */
  note(metric: LoopMetric, iteration: number, value: number): boolean {
    const loop = this.#loops.find(({ block }) => block.best!.metric === metric);
    loop?.values.set(iteration, value);
    return loop !== undefined;
  }

  /** Returns the iterations up to `latest` whose output `port` of `plan` must be kept. */
  iterations(plan: StagePlan, port: string, latest: number): ReadonlySet<number> {
    const kept = new Set<number>();
    for (const loop of this.#loops.filter(({ block }) => block === plan.block)) {
      const { take } = loop.block.best!;
      // The start of the iteration after the latest is an output of the latest.
      for (const i of candidates(loop, latest + 1)) {
        for (const name of loop.names) {
          const source = sourceOf(loop.block, name, take === "next" ? i : i - 1);
          if (source?.plan === plan && source.port === port) kept.add(source.iteration);
        }
      }
    }
    return kept;
  }
}

/** Returns the best iteration so far, and those that may turn out to be better. */
function candidates({ block, values }: Loop, latest: number): number[] {
  const { metric, goal } = block.best!;
  let best: number | undefined;
  for (const i of [...values.keys()].sort((a, b) => a - b)) {
    if (isBetter(goal, values.get(i)!, best === undefined ? undefined : values.get(best))) best = i;
  }
  const open = Array.from({ length: latest + 1 }, (_, i) => i).filter((i) =>
    !values.has(i) && runsInIteration(metric.stage, i, lastIteration(block))
  );
  return best === undefined ? open : [best, ...open];
}

/** Returns the carried names that something reads through `BLOCK.best`, and all models: users need those later. */
function neededNames(blueprint: Blueprint, block: IteratePlan): string[] {
  const references: (Reference | null)[] = [
    ...Object.values(blueprint.outputs),
    ...allStages(blueprint).flatMap((plan) => Object.values(plan.bindings).flatMap(referencesOf)),
    ...blueprint.entries.filter(isLoop).flatMap((loop) => Object.values(loop.carry)),
  ];
  return Object.keys(block.next).filter((name) => {
    const source = sourceOf(block, name, lastIteration(block));
    const isModel = source && givesModels(source.plan.stage.outputs[source.port]!);
    return isModel || references.some((r) => r?.from === "best" && r.block === block && r.name === name);
  });
}

/** Returns the stage of the loop that made what an iteration carried out as `name`; undefined if it came from outside. */
function sourceOf(
  block: IteratePlan,
  name: string,
  iteration: number,
): { readonly plan: StagePlan; readonly port: string; readonly iteration: number } | undefined {
  const reference = iteration < 0 ? undefined : block.next[name];
  if (reference?.from === "carry") return sourceOf(block, reference.name, iteration - 1);
  if (reference?.from !== "stage" || reference.stage.block !== block) return undefined;
  return { plan: reference.stage, port: reference.port, iteration };
}
