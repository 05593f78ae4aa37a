/**
 * The course of loops: their rounds one after another, where each loop ends, and which of its rounds is the best. Both
 * are decided by figures of finished rounds, which are bytes in the store, so that a run that goes on decides the same.
 * @module
 */
import type { BestIteration } from "@/lib/contracts/events.ts";
import type { ActionRecord } from "./action_record.ts";
import { type Figure, type IteratePlan, lastRound, runsInRound } from "./blueprint.ts";
import { figureName } from "./figures.ts";
import { makeNode, type Node, nodesOf } from "./nodes.ts";

/** What the course of a loop asks of the walk and its caller. */
export interface RoundsOptions {
  /** the node's record; undefined where it is not known yet (a dry run) */
  readonly visit: (node: Node) => Promise<ActionRecord | undefined>;
  /** the figure in what a node wrote; undefined where it is not at hand (a dry run) */
  readonly figure: (node: Node, record: ActionRecord, figure: Figure) => Promise<number | undefined>;
  readonly loopEnded: (block: string, iteration: number, reason: string) => void;
  readonly loopBest: (best: BestIteration) => void;
  /** keeps a promise whose failure is looked at when the walk ends */
  readonly later: <T>(promise: Promise<T>) => Promise<T>;
}

/** The course of the loops of one walk. */
export interface Rounds {
  /** how many rounds the loop has; starts them if nobody did */
  readonly count: (block: IteratePlan) => Promise<number>;
  /** the number of the best round, or the nodes whose figures are not known yet */
  readonly best: (block: IteratePlan) => Promise<number | { readonly waitsFor: readonly string[] }>;
}

/** True where `value` beats `best`: of equal rounds the earlier one stays the best. */
export function beats(goal: "max" | "min", value: number, best: number | undefined): boolean {
  return best === undefined || (goal === "max" ? value > best : value < best);
}

/** Follows the loops of one walk, each once however often it is asked for. */
export function followRounds(options: RoundsOptions): Rounds {
  const { visit, later } = options;
  const counts = new Map<string, Promise<number>>();
  const bests = new Map<string, ReturnType<Rounds["best"]>>();

  async function figureOf(figure: Figure, iteration: number): Promise<number | undefined> {
    const node = makeNode(figure.stage, { iteration });
    const record = await visit(node);
    return record && await options.figure(node, record, figure);
  }

  /** Visits a round; a figure that is not there must be noticed in the first round that should have it. */
  function visitRound(block: IteratePlan, i: number, last = lastRound(block)): void {
    for (const node of nodesOf(block, i, last)) {
      visit(node);
      if (node.plan === block.best?.figure.stage) later(figureOf(block.best.figure, i));
    }
  }

  async function runRounds(block: IteratePlan): Promise<number> {
    const { until } = block;
    for (let i = 0; i < block.count; i++) {
      visitRound(block, i);
      if (!until || !runsInRound(until.figure.stage, i, lastRound(block))) continue;
      const value = await figureOf(until.figure, i);
      if (value === undefined) continue;
      const bound = until.above ?? until.below!;
      if (until.above !== undefined ? value <= bound : value >= bound) continue;
      const comparison = until.above !== undefined ? "above" : "below";
      options.loopEnded(block.name, i, `${figureName(until.figure)} is ${value}, ${comparison} ${bound}`);
      // Now it is known that this round is the last, in which every stage runs.
      visitRound(block, i, i);
      return i + 1;
    }
    return block.count;
  }

  async function findBest(block: IteratePlan): Promise<number | { readonly waitsFor: readonly string[] }> {
    const { figure, goal } = block.best!;
    const last = await count(block) - 1;
    const waitsFor: string[] = [];
    let best: { iteration: number; value: number } | undefined;
    for (let i = 0; i <= last; i++) {
      if (!runsInRound(figure.stage, i, last)) continue;
      const value = await figureOf(figure, i);
      if (value === undefined) waitsFor.push(makeNode(figure.stage, { iteration: i }).id);
      else if (beats(goal, value, best?.value)) best = { iteration: i, value };
    }
    if (waitsFor.length > 0 || !best) return { waitsFor };
    options.loopBest({ block: block.name, metric: figureName(figure), ...best });
    return best.iteration;
  }

  function count(block: IteratePlan): Promise<number> {
    const known = counts.get(block.name) ?? later(runRounds(block));
    counts.set(block.name, known);
    return known;
  }

  function best(block: IteratePlan): ReturnType<Rounds["best"]> {
    const known = bests.get(block.name) ?? later(findBest(block));
    bests.set(block.name, known);
    return known;
  }

  return { count, best };
}
