/**
 * What an `iterate` block says beside its stages: what rounds carry, when they end, and which is the best.
 * @module
 */
import type { IteratePlan, Reference } from "./blueprint.ts";
import { resolveFigure } from "./figures.ts";
import type { IterateEntry } from "./manifest.ts";
import type { Pointer, Problem } from "./manifest_reader.ts";

/** Where problems go, and how references are resolved. */
export interface LoopContext {
  readonly resolve: (text: string, at: Pointer, block?: IteratePlan) => Reference | undefined;
  readonly problems: Problem[];
}

/** The loop `name` without its stages. References to what it carries may stand anywhere, so names come first. */
export function emptyLoop(name: string, entry: IterateEntry): IteratePlan {
  return {
    kind: "iterate",
    name,
    count: entry.iterate.count,
    publish: entry.iterate.publish,
    stages: [],
    carry: Object.fromEntries(Object.keys(entry.iterate.carry).map((carried) => [carried, null])),
    next: Object.fromEntries(
      Object.keys(entry.next).map((carried) => [carried, { from: "input", name: "" }]),
    ),
  };
}

/** Fills in `until` and `best` of a loop that has its stages. */
export function resolveFigures(block: IteratePlan, entry: IterateEntry, problems: Problem[]): void {
  const at: Pointer = ["stages", block.name];
  const { until, best } = entry.iterate;
  const context = { block, entries: entry.stages, problems };
  if (until !== undefined) {
    const figure = resolveFigure(until, { ...context, at: [...at, "iterate", "until"] });
    const bound = until.above !== undefined ? { above: until.above } : { below: until.below! };
    if (figure) Object.assign(block, { until: { figure, ...bound } });
  }
  if (best === undefined) return;
  const figure = resolveFigure(best, { ...context, at: [...at, "iterate", "best"] }) ??
    // The plan is refused; without it, references to the best round would be problems too.
    { stage: block.stages[0]!, port: "", metric: "" };
  Object.assign(block, { best: { figure, goal: best.goal, take: best.take } });
  if (Object.keys(block.next).length === 0) {
    problems.push({
      at: [...at, "iterate", "best"],
      message: `"best" has a meaning where "next" carries something`,
    });
  }
  if (Object.hasOwn(block.next, "best")) {
    problems.push({
      at: [...at, "next", "best"],
      message: `"${block.name}.best" is the best round: a carried name must differ`,
    });
  }
  if (block.stages.some((stage) => stage.name === "best")) {
    problems.push({
      at: [...at, "stages", "best"],
      message: `"${block.name}.best" is the best round: the name of a stage must differ`,
    });
  }
}

/** Fills in `carry` and `next`. */
export function resolveCarried(
  block: IteratePlan,
  entry: IterateEntry,
  { resolve, problems }: LoopContext,
): void {
  const at: Pointer = ["stages", block.name];
  const { carry } = entry.iterate;
  for (const [name, text] of Object.entries(carry)) {
    const where = [...at, "iterate", "carry", name];
    // The first round starts from outside, so the block's own stages are not in sight.
    const start = text === null ? null : resolve(text, where) ?? null;
    if (start?.from === "all") {
      problems.push({ at: where, message: `"${text}" is a list: a loop carries single values` });
    }
    block.carry[name] = start;
    if (!Object.hasOwn(entry.next, name)) {
      problems.push({ at: where, message: `"next" must say what "${name}" becomes` });
    }
  }
  for (const [name, text] of Object.entries(entry.next)) {
    const where = [...at, "next", name];
    if (!Object.hasOwn(carry, name)) {
      problems.push({ at: where, message: `"carry" must say what "${name}" starts from (null: nothing)` });
    }
    if (block.stages.some((stage) => stage.name === name)) {
      problems.push({
        at: where,
        message: `"${name}" is a stage of the block as well: a carried name must differ`,
      });
    }
    const found = resolve(text, where, block);
    if (found?.from === "all") {
      problems.push({ at: where, message: `"${text}" is a list: a loop carries single values` });
    }
    if (found) block.next[name] = found;
  }
}
