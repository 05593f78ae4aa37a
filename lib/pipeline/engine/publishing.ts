/**
 * Which models and states of a loop are written when their iteration ends. With `publish: N` these are the ones of every
 * N-th iteration and of the last; the others are in memory (see memory_files.ts).
 * @module
 */
import {
  allStages,
  type Blueprint,
  isLoop,
  type IteratePlan,
  lastIteration,
  referencesOf,
} from "./blueprint.ts";
import type { Node } from "./nodes.ts";
import type { Executor } from "./task.ts";

/** Returns the outputs that are read from all iterations, as `block.stage.port`: they are always written and kept. */
export function gatheredPorts(blueprint: Pick<Blueprint, "entries">): ReadonlySet<string> {
  const references = allStages(blueprint).flatMap((plan) =>
    Object.values(plan.bindings).flatMap(referencesOf)
  );
  return new Set(references.flatMap((r) => r.from === "all" ? [`${r.stage.path}.${r.port}`] : []));
}

/** Returns a function that says whether an output that is handed over is written when its stage ends. */
export function writtenAtOnce(blueprint: Pick<Blueprint, "entries">): (node: Node, port: string) => boolean {
  const gathered = gatheredPorts(blueprint);
  return ({ plan, iteration }, port) => {
    const { block } = plan;
    if (block?.kind !== "iterate" || iteration === undefined) return true;
    return (iteration + 1) % block.publish === 0 || iteration === lastIteration(block) ||
      gathered.has(`${plan.path}.${port}`);
  };
}

/** Returns warnings about loops with `publish` above 1 in which no stage hands models over. */
export function publishWarnings(blueprint: Pick<Blueprint, "entries">): string[] {
  return rarelyPublished(blueprint)
    .filter(({ stages }) =>
      !stages.some(({ stage }) => Object.values(stage.outputs).some((port) => port.handedOver))
    )
    .map(({ name }) => `"publish" of ${name} has no effect: no stage of the loop passes models in memory`);
}

/** Returns a warning about loops with `publish` above 1 if the executor shares no memory. */
export function executorWarning(blueprint: Blueprint, { name, sharesMemory }: Executor): string | undefined {
  const loops = sharesMemory ? [] : rarelyPublished(blueprint);
  if (loops.length === 0) return undefined;
  const list = loops.map((loop) => `${loop.name}.publish is ${loop.publish}`).join(", ");
  return `${list}, but the executor ${name} cannot pass models in memory: every iteration is written`;
}

/** Returns the loops with `publish` above 1. */
function rarelyPublished({ entries }: Pick<Blueprint, "entries">): IteratePlan[] {
  return entries.filter(isLoop).filter(({ publish }) => publish > 1);
}
