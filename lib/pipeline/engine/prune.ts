/**
 * Removes models and states of a loop's earlier iterations from the store, as the manifest's `keep` says, and decides when
 * those that are only in memory are written or dropped (see memory_files.ts). Records stay, so nothing runs again unless
 * something needs what was removed.
 * @module
 */
import type { ActionRecord } from "./action_record.ts";
import { BestSoFar } from "./best_so_far.ts";
import { type Blueprint, type LoopMetric, runsInIteration, type StagePlan } from "./blueprint.ts";
import { lastMetrics } from "./loop_metrics.ts";
import type { Node } from "./nodes.ts";
import { contractsOf, givesModels } from "./ports.ts";
import { gatheredPorts } from "./publishing.ts";
import { digestsOf, type Store } from "./store.ts";
import type { StoreUsers } from "./store_users.ts";

/** The outputs of one stage in one iteration. */
interface Iteration {
  readonly iteration: number;
  record: ActionRecord;
  /** value of the metric that `keep.best_metric` names */
  readonly metric: number | undefined;
  /** ports that were removed already */
  readonly removed: Set<string>;
}

/** Prunes during one run. It removes only while no other run uses the store; what it misses it removes later. */
export class Pruner {
  readonly #loops = new Map<StagePlan, Iteration[]>();
  /** records of stages outside loops */
  readonly #others: ActionRecord[] = [];
  /** how many callers of `sparing()` use the outputs of an action, by its key */
  readonly #inUse = new Map<string, number>();
  readonly #gathered: ReadonlySet<string>;
  readonly #best: BestSoFar;

  constructor(readonly blueprint: Blueprint, readonly store: Store, readonly users: StoreUsers) {
    this.#gathered = gatheredPorts(blueprint);
    this.#best = new BestSoFar(blueprint);
  }

  /** Runs `work`; no output of `records` is removed meanwhile. */
  async sparing<T>(records: readonly ActionRecord[], work: () => Promise<T>): Promise<T> {
    for (const { key } of records) this.#inUse.set(key, (this.#inUse.get(key) ?? 0) + 1);
    try {
      return await work();
    } finally {
      for (const { key } of records) this.#inUse.set(key, this.#inUse.get(key)! - 1);
    }
  }

  /** Notes a finished node, also one that ran again, and prunes. */
  async finished(node: Node, record: ActionRecord): Promise<void> {
    const { plan, iteration } = node;
    if (iteration === undefined) this.#others.push(record);
    else {
      const iterations = this.#loops.get(plan) ?? [];
      this.#loops.set(plan, iterations);
      const entry = {
        iteration,
        record,
        metric: await this.#metricOf(node, record),
        removed: new Set<string>(),
      };
      // A plan that is walked a second time comes here again, and so does an action that ran again.
      const known = iterations.findIndex((other) => other.iteration === iteration);
      iterations.splice(known < 0 ? iterations.length : known, known < 0 ? 0 : 1, entry);
      const publish = plan.block?.kind === "iterate" ? plan.block.publish : undefined;
      if (publish !== undefined && runsInIteration({ every: publish }, iteration, -1)) {
        this.#publishBest(plan);
      }
    }
    this.#prune();
  }

  /** Notes a metric of an iteration, and prunes if it decides the best one. */
  noteMetric(metric: LoopMetric, iteration: number, value: number): void {
    if (this.#best.note(metric, iteration, value)) this.#prune();
  }

  /** Writes an output of `record` that is only in memory. */
  publish({ key }: ActionRecord, port: string): void {
    for (const plan of this.#loops.keys()) {
      this.#publish(plan, (entry, name) => entry.record.key === key && name === port);
    }
  }

  /** Writes outputs of the latest and the best iterations that are only in memory, of all loops or of one that ended. */
  publishLatest(loop?: string): void {
    for (const [plan, iterations] of this.#loops) {
      if (loop !== undefined && plan.block?.name !== loop) continue;
      this.#publishBest(plan);
      this.#publish(plan, (entry) => entry === latestOf(iterations));
    }
  }

  #publishBest(plan: StagePlan): void {
    const iterations = this.#loops.get(plan)!;
    this.#publish(plan, (entry, port) => this.#bestOf(iterations, port, plan).has(entry));
  }

  #publish(plan: StagePlan, isWanted: (entry: Iteration, port: string) => boolean): void {
    for (const entry of this.#loops.get(plan) ?? []) {
      const ports = (entry.record.unpublished ?? []).filter((port) => isWanted(entry, port));
      if (ports.length > 0) entry.record = this.store.publish(entry.record, ports);
    }
  }

  #prune(): void {
    const kept = new Set(this.#others.flatMap((record) => digestsOf(record, Object.keys(record.outputs))));
    const dropped: { entry: Iteration; port: string }[] = [];
    for (const [plan, iterations] of this.#loops) {
      for (const port of Object.keys(plan.stage.outputs)) {
        const keeping = this.#keeping(iterations, port, plan);
        for (const entry of iterations) {
          if (keeping.has(entry)) digestsOf(entry.record, [port]).forEach((digest) => kept.add(digest));
          else if (entry.record.outputs[port] && !entry.removed.has(port)) dropped.push({ entry, port });
        }
      }
    }
    // Files that are only in memory are unknown to other runs.
    const inMemory = dropped.filter(({ entry, port }) => isUnpublished(entry, port));
    for (const { entry, port } of inMemory) this.store.forget(entry.record, [port], kept);
    const stored = dropped.filter((drop) => !inMemory.includes(drop));
    if (stored.length === 0) return;
    this.users.ifAlone(() => {
      for (const { entry, port } of stored) {
        this.store.prune(entry.record, [port], kept);
        entry.removed.add(port);
      }
    });
  }

  /** Returns the iterations of `plan` that keep their output `port`. */
  #keeping(iterations: readonly Iteration[], port: string, plan: StagePlan): ReadonlySet<Iteration> {
    const { keep } = this.blueprint;
    const output = plan.stage.outputs[port]!, isModel = givesModels(output);
    const isPruned = isModel || contractsOf(output).includes("state");
    if (keep === "all" || !isPruned || this.#gathered.has(`${plan.path}.${port}`)) return new Set(iterations);
    const written = iterations.filter((entry) => !isUnpublished(entry, port));
    const latest = latestOf(iterations);
    return new Set([
      ...written.slice(-(isModel ? keep.policies : keep.states)),
      ...this.#bestOf(iterations, port, plan),
      ...iterations.filter((entry) => entry === latest || (this.#inUse.get(entry.record.key) ?? 0) > 0),
    ]);
  }

  /** Returns the best iterations so far that keep their output `port`, and those that may turn out to be the best. */
  #bestOf(iterations: readonly Iteration[], port: string, plan: StagePlan): ReadonlySet<Iteration> {
    const greatest = givesModels(plan.stage.outputs[port]!) ? greatestOf(iterations) : undefined;
    const numbers = this.#best.iterations(plan, port, latestOf(iterations)!.iteration);
    return new Set(iterations.filter((entry) => entry === greatest || numbers.has(entry.iteration)));
  }

  async #metricOf(node: Node, record: ActionRecord): Promise<number | undefined> {
    const { keep } = this.blueprint;
    const tree = record.outputs.metrics;
    if (keep === "all" || keep.best_metric === null || !tree || !this.store.holds(tree)) return undefined;
    if (node.plan.stage.outputs.metrics?.contract !== "metrics@1") return undefined;
    return lastMetrics(await this.store.view(record, "metrics"))[keep.best_metric];
  }
}

/** Returns true if files of an output are, or were, only in memory. */
function isUnpublished({ record }: Iteration, port: string): boolean {
  return record.unpublished?.includes(port) ?? false;
}

function latestOf(iterations: readonly Iteration[]): Iteration | undefined {
  return iterations.reduce<Iteration | undefined>(
    (a, b) => a && a.iteration > b.iteration ? a : b,
    undefined,
  );
}

/** Returns the iteration with the greatest metric; of equal ones the first. */
function greatestOf(iterations: readonly Iteration[]): Iteration | undefined {
  return iterations.reduce<Iteration | undefined>(
    (best, entry) =>
      entry.metric !== undefined && (best?.metric === undefined || entry.metric > best.metric) ? entry : best,
    undefined,
  );
}
