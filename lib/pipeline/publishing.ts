/**
 * Which models and states of a loop are written when their round ends. With `publish: N` those of every N-th round and of
 * the last are; the rest live in memory until something asks for them, a stop comes, or nobody needs them any more.
 * @module
 */
import { allStages, type Blueprint, isBlock, lastRound, referencesOf } from "./blueprint.ts";
import type { Node } from "./nodes.ts";

/** Outputs that somebody reads of all rounds, as `block.stage.port`: these are written in every round, and stay. */
export function gatheredPorts(blueprint: Pick<Blueprint, "entries">): ReadonlySet<string> {
  const references = allStages(blueprint).flatMap((plan) =>
    Object.values(plan.bindings).flatMap(referencesOf)
  );
  return new Set(references.flatMap((r) => r.from === "all" ? [`${r.stage.path}.${r.port}`] : []));
}

/** Tells of an output that its stage hands over whether it is written when the stage ends. */
export function writtenAtOnce(blueprint: Pick<Blueprint, "entries">): (node: Node, port: string) => boolean {
  const gathered = gatheredPorts(blueprint);
  return ({ plan, iteration }, port) => {
    const { block } = plan;
    if (block?.kind !== "iterate" || iteration === undefined) return true;
    return (iteration + 1) % block.publish === 0 || iteration === lastRound(block) ||
      gathered.has(`${plan.path}.${port}`);
  };
}

/** What must be said of loops that publish seldom but whose stages hand nothing over. */
export function publishWarnings(entries: Blueprint["entries"]): string[] {
  return entries.flatMap((entry) => {
    if (!isBlock(entry) || entry.kind !== "iterate" || entry.publish === 1) return [];
    const handsOver = entry.stages.some(({ stage }) =>
      Object.values(stage.outputs).some((port) => port.handedOver)
    );
    return handsOver ? [] : [
      `"publish" of ${entry.name} has no effect: no stage of the loop hands anything over in memory`,
    ];
  });
}

/** The loops that publish seldom, by name and number of rounds. */
export function seldomPublished({ entries }: Pick<Blueprint, "entries">): string[] {
  return entries.flatMap((entry) =>
    isBlock(entry) && entry.kind === "iterate" && entry.publish > 1
      ? [`${entry.name}.publish is ${entry.publish}`]
      : []
  );
}
