/**
 * The nodes of a plan: one stage at one position, which is a copy of a `foreach`, an iteration of an `iterate`, or neither.
 * @module
 */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import type { NodeName } from "@/lib/data/contracts/events.ts";
import {
  allStages,
  type BlockPlan,
  type Blueprint,
  isBlock,
  lastIteration,
  runsInIteration,
  type StagePlan,
} from "./blueprint.ts";

/** A copy or an iteration. */
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

/** Returns the node of `plan` at a position. */
export function makeNode(plan: StagePlan, position: Position): Node {
  const number = position.index ?? position.iteration;
  const id = number === undefined ? plan.path : `${plan.path}[${number}]`;
  return { id, plan, ...given(position) };
}

/** Returns the nodes of copy or iteration `i`. @param last the loop's last iteration; default: if nothing ends it early */
export function nodesOf(block: BlockPlan, i: number, last = lastIteration(block)): Node[] {
  if (block.kind === "foreach") return block.stages.map((plan) => makeNode(plan, { index: i }));
  return block.stages.filter((plan) => runsInIteration(plan, i, last))
    .map((plan) => makeNode(plan, { iteration: i }));
}

/** Returns the first `most` nodes if no `until` ends a loop early, in the order of execution. */
export function firstNodes(blueprint: Pick<Blueprint, "entries">, most: number): Node[] {
  const nodes: Node[] = [];
  for (const entry of blueprint.entries) {
    if (!isBlock(entry)) nodes.push(makeNode(entry, {}));
    else for (let i = 0; i < entry.count && nodes.length < most; i++) append(nodes, nodesOf(entry, i));
  }
  return nodes.slice(0, most);
}

/** Returns the number of nodes if no `until` ends a loop early. */
export function countNodes(blueprint: Pick<Blueprint, "entries">): number {
  return allStages(blueprint).reduce((sum, plan) => sum + plannedNodes(plan), 0);
}

/** Returns the number of nodes of one stage if no `until` ends its loop early. */
export function plannedNodes({ block, every }: StagePlan): number {
  if (block === undefined) return 1;
  return block.kind === "foreach" ? block.count : Math.ceil(block.count / every);
}

/** Returns the name of a node in events and messages. */
export function nodeName(node: Node): NodeName {
  const { path, stage: { id, role } } = node.plan;
  return { stage: path, uses: id, ...(role === undefined ? {} : { role }), ...given(node) };
}

function given({ index, iteration }: Position): Position {
  return { ...(index === undefined ? {} : { index }), ...(iteration === undefined ? {} : { iteration }) };
}
