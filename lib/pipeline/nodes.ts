/**
 * The nodes of a plan: one stage at one position, be it a copy of a `foreach`, a round of an `iterate`, or neither.
 * @module
 */
import type { NodeName } from "@/lib/contracts/events.ts";
import {
  type BlockPlan,
  type Blueprint,
  isBlock,
  lastRound,
  runsInRound,
  type StagePlan,
} from "./blueprint.ts";

/** Which copy or round. */
export interface Position {
  readonly index?: number;
  readonly iteration?: number;
}

/** One stage at one position. */
export interface Node extends Position {
  /** `ppo.update[3]`: equal for equal nodes */
  readonly id: string;
  readonly plan: StagePlan;
}

/** The node of `plan` at a position. */
export function makeNode(plan: StagePlan, { index, iteration }: Position): Node {
  const number = index ?? iteration;
  const id = number === undefined ? plan.path : `${plan.path}[${number}]`;
  return {
    id,
    plan,
    ...(index === undefined ? {} : { index }),
    ...(iteration === undefined ? {} : { iteration }),
  };
}

/** The nodes of copy or round `i`. @param last the loop's last round; default: that of a loop which nothing ends early */
export function nodesOf(block: BlockPlan, i: number, last = lastRound(block)): Node[] {
  if (block.kind === "foreach") return block.stages.map((plan) => makeNode(plan, { index: i }));
  return block.stages.filter((plan) => runsInRound(plan, i, last)).map((plan) =>
    makeNode(plan, { iteration: i })
  );
}

/** All nodes if no `until` ends a loop early, in the order of execution. */
export function allNodes(blueprint: Blueprint): Node[] {
  return blueprint.entries.flatMap((entry) => {
    if (!isBlock(entry)) return [makeNode(entry, {})];
    return Array.from({ length: entry.count }, (_, i) => nodesOf(entry, i)).flat();
  });
}

/** Name of a node in events and messages. */
export function nodeName(node: Node): NodeName {
  const { plan, index, iteration } = node;
  return {
    stage: plan.path,
    uses: plan.stage.id,
    ...(plan.stage.role === undefined ? {} : { role: plan.stage.role }),
    ...(index === undefined ? {} : { index }),
    ...(iteration === undefined ? {} : { iteration }),
  };
}
