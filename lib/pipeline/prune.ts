/**
 * Drops models and states of a loop's earlier rounds from the store, as the manifest's `keep` says, and from memory what
 * was handed over and no round will read. Their records stay, so nothing runs again as long as what is asked for is there.
 * @module
 */
import type { ActionRecord } from "./action_record.ts";
import { bestSoFar } from "./best_so_far.ts";
import { type Blueprint, type Figure, runsInRound, type StagePlan } from "./blueprint.ts";
import { lastMetrics } from "./metric_values.ts";
import type { Node } from "./nodes.ts";
import { contractsOf, givesModels } from "./ports.ts";
import { gatheredPorts } from "./publishing.ts";
import type { Store } from "./store.ts";
import type { StoreUsers } from "./store_users.ts";

/** Prunes as a run goes on. */
export interface Pruner {
  /** nothing that the actions of `records` wrote is dropped while `work` is under way */
  readonly sparing: <T>(records: readonly ActionRecord[], work: () => Promise<T>) => Promise<T>;
  /** to be called for every finished node, also for one that was made again */
  readonly finished: (node: Node, record: ActionRecord) => Promise<void>;
  /** to be called for every figure of a round by which a best round is told */
  readonly told: (figure: Figure, iteration: number, value: number) => void;
  /** writes what an output of `record` has in memory alone */
  readonly publish: (record: ActionRecord, port: string) => void;
  /** writes what the latest and the best rounds have in memory alone, of all loops or of one that has ended */
  readonly publishLatest: (loop?: string) => void;
}

interface Round {
  readonly iteration: number;
  record: ActionRecord;
  readonly score: number | undefined;
  /** ports that were dropped already */
  readonly dropped: Set<string>;
}

/** A pruner for one run. It drops only while no other run uses the store, and what it misses it drops later. */
export function createPruner(blueprint: Blueprint, store: Store, users: StoreUsers): Pruner {
  const { keep } = blueprint;
  const loops = new Map<StagePlan, Round[]>();
  const others: ActionRecord[] = [];
  /** how many spare the outputs of an action, by its key */
  const inUse = new Map<string, number>();
  const gathered = gatheredPorts(blueprint);
  const bests = bestSoFar(blueprint);

  /** Rounds of `plan` that keep their output `port`. */
  function staying(rounds: readonly Round[], port: string, plan: StagePlan): Set<Round> {
    const output = plan.stage.outputs[port]!, isModel = givesModels(output);
    const never = keep === "all" || !(isModel || contractsOf(output).includes("state")) ||
      gathered.has(`${plan.path}.${port}`);
    if (never) return new Set(rounds);
    const written = rounds.filter((round) => !isUnpublished(round, port));
    const stay = new Set(written.slice(-(isModel ? keep.policies : keep.states)));
    for (const round of bestOf(rounds, port, plan)) stay.add(round);
    for (const round of rounds) {
      if (inUse.has(round.record.key) || round === latestOf(rounds)) stay.add(round);
    }
    return stay;
  }

  /** The best rounds of `plan` so far, whose output `port` stays for that, and those that may yet be the best. */
  function bestOf(rounds: readonly Round[], port: string, plan: StagePlan): Set<Round> {
    const winner = givesModels(plan.stage.outputs[port]!) ? best(rounds) : undefined;
    const iterations = bests.rounds(plan, port, latestOf(rounds)!.iteration);
    return new Set(rounds.filter((round) => round === winner || iterations.has(round.iteration)));
  }

  /** Writes what some rounds of `plan` have in memory alone. */
  function publishRounds(plan: StagePlan, wanted: (round: Round, port: string) => boolean): void {
    for (const round of loops.get(plan) ?? []) {
      const ports = (round.record.unpublished ?? []).filter((port) => wanted(round, port));
      if (ports.length > 0) round.record = store.publish(round.record, ports);
    }
  }

  /** Rounds that are the best by now are written together with one that is written anyway. */
  function publishBest(plan: StagePlan): void {
    const rounds = loops.get(plan)!;
    publishRounds(plan, (round, port) => bestOf(rounds, port, plan).has(round));
  }

  function dropAll(): void {
    const kept = new Set(others.flatMap((record) => Object.values(record.outputs).flatMap(digestsOf)));
    const drops: { round: Round; port: string }[] = [];
    for (const [plan, rounds] of loops) {
      for (const port of Object.keys(plan.stage.outputs)) {
        const stay = staying(rounds, port, plan);
        for (const round of rounds) {
          const tree = round.record.outputs[port];
          if (stay.has(round)) digestsOf(tree).forEach((digest) => kept.add(digest));
          else if (tree && !round.dropped.has(port)) drops.push({ round, port });
        }
      }
    }
    const isInMemory = ({ round, port }: typeof drops[number]) => isUnpublished(round, port);
    // Nobody else knows of what lies in memory alone.
    for (const { round, port } of drops.filter(isInMemory)) store.forget(round.record, [port], kept);
    const stored = drops.filter((drop) => !isInMemory(drop));
    if (stored.length === 0) return;
    users.ifAlone(() => {
      for (const { round, port } of stored) {
        store.prune(round.record, [port], kept);
        round.dropped.add(port);
      }
    });
  }

  async function scoreOf(node: Node, record: ActionRecord): Promise<number | undefined> {
    const tree = record.outputs.metrics;
    if (keep === "all" || keep.best === null || !tree || !store.holds(tree)) return undefined;
    if (node.plan.stage.outputs.metrics?.contract !== "metrics@1") return undefined;
    return lastMetrics(await store.view(record, "metrics"))[keep.best];
  }

  return {
    async sparing(records, work) {
      for (const { key } of records) inUse.set(key, (inUse.get(key) ?? 0) + 1);
      try {
        return await work();
      } finally {
        for (const { key } of records) {
          const count = inUse.get(key)! - 1;
          if (count > 0) inUse.set(key, count);
          else inUse.delete(key);
        }
      }
    },
    async finished(node, record) {
      if (node.iteration === undefined) others.push(record);
      else {
        const rounds = loops.get(node.plan) ?? [];
        loops.set(node.plan, rounds);
        const round = {
          iteration: node.iteration,
          record,
          score: await scoreOf(node, record),
          dropped: new Set<string>(),
        };
        // A plan that had to be walked again comes by a second time, and so does what was made again.
        const known = rounds.findIndex((r) => r.iteration === round.iteration);
        rounds.splice(known < 0 ? rounds.length : known, known < 0 ? 0 : 1, round);
        const { block } = node.plan;
        if (block?.kind === "iterate" && runsInRound({ every: block.publish }, round.iteration, -1)) {
          publishBest(node.plan);
        }
      }
      dropAll();
    },
    told(figure, iteration, value) {
      if (bests.note(figure, iteration, value)) dropAll();
    },
    publish({ key }, port) {
      for (const plan of loops.keys()) {
        publishRounds(plan, (round, name) => round.record.key === key && name === port);
      }
    },
    publishLatest(loop) {
      for (const [plan, rounds] of loops) {
        if (loop !== undefined && plan.block?.name !== loop) continue;
        publishBest(plan);
        publishRounds(plan, (round) => round === latestOf(rounds));
      }
    },
  };
}

/** Whether an output of a round has files that lie, or lay, in memory alone. */
function isUnpublished({ record }: Round, port: string): boolean {
  return record.unpublished?.includes(port) ?? false;
}

function latestOf(rounds: readonly Round[]): Round | undefined {
  return rounds.reduce<Round | undefined>((a, b) => a && a.iteration > b.iteration ? a : b, undefined);
}

function best(rounds: readonly Round[]): Round | undefined {
  let found: Round | undefined;
  for (const round of rounds) {
    if (round.score !== undefined && (found?.score === undefined || round.score > found.score)) found = round;
  }
  return found;
}

function digestsOf(tree: ActionRecord["outputs"][string] | undefined): string[] {
  return Object.values(tree?.files ?? {}).map((file) => file.digest);
}
