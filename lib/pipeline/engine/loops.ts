/**
 * Plans what an `iterate` block has beside its stages: carried values, `until` and `best`.
 * @module
 */
import type { Condition, IteratePlan, LoopMetric, Reference, StagePlan } from "./blueprint.ts";
import { resolveMetric } from "./loop_metrics.ts";
import type { IterateEntry } from "./manifest.ts";
import type { PlacedProblem, YamlPath } from "./placed_yaml.ts";

/** Returns the loop `name` without its stages. Carried names come first, as references to them may be anywhere. */
export function emptyLoop(name: string, entry: IterateEntry): IteratePlan {
  const { count, publish, carry } = entry.iterate;
  const unresolved = { from: "input", name: "" } as const;
  return {
    kind: "iterate",
    name,
    count,
    publish,
    stages: [],
    carry: Object.fromEntries(Object.keys(carry).map((carried) => [carried, null])),
    next: Object.fromEntries(Object.keys(entry.next).map((carried) => [carried, unresolved])),
  };
}

/** Sets `when`, `until` and `best` of a loop that has its stages. @param outside the stages that are in no block */
export function resolveMetrics(
  block: IteratePlan,
  entry: IterateEntry,
  outside: readonly StagePlan[],
  problems: PlacedProblem[],
): void {
  const at: YamlPath = ["stages", block.name];
  const { when, until, best } = entry.iterate;
  const whenMetric = when &&
    resolveMetric(when, {
      at: [...at, "iterate", "when"],
      stages: outside,
      place: "outside of blocks",
      problems,
    });
  if (whenMetric) block.when = condition(whenMetric, when);
  const context = { stages: block.stages, place: `block "${block.name}"`, entries: entry.stages, problems };
  const untilMetric = until && resolveMetric(until, { ...context, at: [...at, "iterate", "until"] });
  if (untilMetric) block.until = condition(untilMetric, until);
  if (best === undefined) return;
  // With an unresolved metric the plan is refused; without any, references to the best iteration would be problems too.
  const metric = resolveMetric(best, { ...context, at: [...at, "iterate", "best"] }) ??
    { stage: block.stages[0]!, port: "", metric: "" };
  block.best = { metric, goal: best.goal, take: best.take };
  const reserved = `"${block.name}.best" is the best iteration`;
  if (Object.keys(block.next).length === 0) {
    problems.push({
      at: [...at, "iterate", "best"],
      message: `"best" requires a carried value under "next"`,
    });
  }
  if (Object.hasOwn(block.next, "best")) {
    problems.push({ at: [...at, "next", "best"], message: `${reserved}: use another carried name` });
  }
  if (block.stages.some((stage) => stage.name === "best")) {
    problems.push({ at: [...at, "stages", "best"], message: `${reserved}: use another name for the stage` });
  }
}

function condition(
  metric: LoopMetric,
  { above, below }: { readonly above?: number | undefined; readonly below?: number | undefined },
): Condition {
  return { metric, ...(above !== undefined ? { above } : { below: below! }) };
}

/** Sets `carry` and `next`. @param resolve returns a reference as seen from inside `block`, or from outside without it */
export function resolveCarried(
  block: IteratePlan,
  entry: IterateEntry,
  resolve: (text: string, at: YamlPath, block?: IteratePlan) => Reference | undefined,
  problems: PlacedProblem[],
): void {
  const { carry } = entry.iterate;
  const resolveOne = (text: string, at: YamlPath, within?: IteratePlan) => {
    const reference = resolve(text, at, within);
    if (reference?.from === "all") {
      problems.push({ at, message: `"${text}" is a list: a loop carries single values` });
    }
    return reference;
  };
  for (const [name, text] of Object.entries(carry)) {
    const at = ["stages", block.name, "iterate", "carry", name];
    // The first iteration starts from outside, so the block's own stages cannot be named.
    block.carry[name] = text === null ? null : resolveOne(text, at) ?? null;
    if (!Object.hasOwn(entry.next, name)) problems.push({ at, message: `"${name}" is missing under "next"` });
  }
  for (const [name, text] of Object.entries(entry.next)) {
    const at = ["stages", block.name, "next", name];
    if (!Object.hasOwn(carry, name)) {
      problems.push({ at, message: `"${name}" is missing under "carry" (null: no initial value)` });
    }
    if (block.stages.some((stage) => stage.name === name)) {
      problems.push({ at, message: `"${name}" is also a stage of the block: use another carried name` });
    }
    const found = resolveOne(text, at, block);
    if (found) block.next[name] = found;
  }
}
