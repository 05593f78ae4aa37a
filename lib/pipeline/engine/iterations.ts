/**
 * Runs the iterations of loops one after another, and finds whether each loop runs, where it ends and which of its iterations
 * is best. These depend on metrics of finished stages, which are in the store, so a resumed run decides the same.
 * @module
 */
import type { BestIteration } from "@/lib/data/contracts/events.ts";
import type { ActionRecord } from "./action_record.ts";
import {
  type Condition,
  type IteratePlan,
  lastIteration,
  type LoopMetric,
  runsInIteration,
} from "./blueprint.ts";
import { conditionHolds, conditionText, metricLabel } from "./loop_metrics.ts";
import { unroll } from "./unroll.ts";
import { makeNode, type Node, nodesOf } from "./nodes.ts";

/** What loops need from the walk and its caller. */
export interface IterationsOptions {
  /** returns the node's record; undefined if it is not known yet (a dry run) */
  readonly visit: (node: Node) => Promise<ActionRecord | undefined>;
  /** returns the metric in a node's outputs; undefined if it is not available (a dry run) */
  readonly readMetric: (node: Node, record: ActionRecord, metric: LoopMetric) => Promise<number | undefined>;
  /** called for a loop that does not run, and, if this is not known yet (a dry run), with the condition */
  readonly loopSkipped: (block: string, reason: string) => void;
  readonly loopUndecided?: (block: string, condition: string) => void;
  readonly loopEnded: (block: string, iteration: number, reason: string) => void;
  readonly loopBest: (best: BestIteration) => void;
  /** keeps a promise whose failure is reported when the walk ends */
  readonly later: <T>(promise: Promise<T>) => Promise<T>;
}

/** The number of the best iteration, or the nodes whose metrics are not known yet. */
type Best = number | { readonly waitsFor: readonly string[] };

/** Returns true if `value` is better than `best`; of equal iterations the earlier one is the best. */
export function isBetter(goal: "max" | "min", value: number, best: number | undefined): boolean {
  return best === undefined || (goal === "max" ? value > best : value < best);
}

/** The iterations of the loops of one walk. Each loop runs once, however often its results are needed. */
export class Iterations {
  readonly #counts = new Map<string, Promise<number>>();
  readonly #bests = new Map<string, Promise<Best>>();

  constructor(readonly options: IterationsOptions) {}

  /** Returns the number of iterations of the loop, 0 if its condition does not hold; starts them if necessary. */
  count(block: IteratePlan): Promise<number> {
    const count = this.#counts.get(block.name) ?? this.options.later(this.#run(block));
    this.#counts.set(block.name, count);
    return count;
  }

  /** Returns the best iteration of the loop, −1 if it has none. */
  best(block: IteratePlan): Promise<Best> {
    const best = this.#bests.get(block.name) ?? this.options.later(this.#findBest(block));
    this.#bests.set(block.name, best);
    return best;
  }

  async #run(block: IteratePlan): Promise<number> {
    const { when, until } = block;
    if (when && !await this.#holds(block, when)) return 0;
    if (!until) {
      await unroll(block.count, (i) => this.#visit(block, i));
      return block.count;
    }
    for (let i = 0; i < block.count; i++) {
      this.#visit(block, i);
      if (!runsInIteration(until.metric.stage, i, lastIteration(block))) continue;
      const value = await this.#metric(until.metric, i);
      if (value === undefined || !conditionHolds(until, value)) continue;
      const comparison = until.above !== undefined ? "above" : "below";
      const reason = `${metricLabel(until.metric)} is ${value}, ${comparison} ${until.above ?? until.below!}`;
      this.options.loopEnded(block.name, i, reason);
      // Only now is it known that this iteration is the last, in which every stage runs.
      this.#visit(block, i, i);
      return i + 1;
    }
    return block.count;
  }

  /** Returns whether the loop runs: also if the metric is not known yet (a dry run). */
  async #holds({ name }: IteratePlan, when: Condition): Promise<boolean> {
    const value = await this.#metric(when.metric), { loopSkipped, loopUndecided } = this.options;
    if (value === undefined) loopUndecided?.(name, conditionText(when));
    else if (!conditionHolds(when, value)) {
      loopSkipped(name, `it requires ${conditionText(when)}, got ${value}`);
      return false;
    }
    return true;
  }

  /** Visits an iteration and reads its deciding metric, so that a missing metric fails in its first iteration. */
  #visit(block: IteratePlan, i: number, last = lastIteration(block)): Promise<unknown>[] {
    const { visit, later } = this.options;
    return nodesOf(block, i, last).map((node) => {
      const visited = visit(node);
      if (node.plan === block.best?.metric.stage) later(this.#metric(block.best.metric, i));
      return visited;
    });
  }

  async #metric(metric: LoopMetric, iteration?: number): Promise<number | undefined> {
    const node = makeNode(metric.stage, iteration === undefined ? {} : { iteration });
    const record = await this.options.visit(node);
    return record && await this.options.readMetric(node, record, metric);
  }

  async #findBest(block: IteratePlan): Promise<Best> {
    const { metric, goal } = block.best!;
    const last = await this.count(block) - 1;
    if (last < 0) return last;
    const waitsFor: string[] = [];
    let best: { iteration: number; value: number } | undefined;
    for (let i = 0; i <= last; i++) {
      if (!runsInIteration(metric.stage, i, last)) continue;
      const value = await this.#metric(metric, i);
      if (value === undefined) waitsFor.push(makeNode(metric.stage, { iteration: i }).id);
      else if (isBetter(goal, value, best?.value)) best = { iteration: i, value };
    }
    if (waitsFor.length > 0 || !best) return { waitsFor };
    this.options.loopBest({ block: block.name, metric: metricLabel(metric), ...best });
    return best.iteration;
  }
}
