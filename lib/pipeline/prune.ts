/**
 * Drops models and states of a loop's earlier rounds from the store, as the manifest's `keep` says. Their records stay,
 * so nothing runs again as long as what is asked for is there.
 * @module
 */
import type { ActionRecord } from "./action_record.ts";
import { bestSoFar } from "./best_so_far.ts";
import { allStages, type Blueprint, type Figure, referencesOf, type StagePlan } from "./blueprint.ts";
import { lastMetrics } from "./metric_values.ts";
import type { Node } from "./nodes.ts";
import { contractsOf } from "./ports.ts";
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
}

interface Round {
  readonly iteration: number;
  readonly record: ActionRecord;
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
    const contracts = contractsOf(plan.stage.outputs[port]!);
    const isModel = contracts.includes("model");
    const never = keep === "all" || !(isModel || contracts.includes("state")) ||
      gathered.has(`${plan.path}.${port}`);
    if (never) return new Set(rounds);
    const stay = new Set(rounds.slice(-(isModel ? keep.policies : keep.states)));
    const winner = isModel ? best(rounds) : undefined;
    if (winner) stay.add(winner);
    const latest = Math.max(...rounds.map((round) => round.iteration));
    const bestRounds = bests.rounds(plan, port, latest);
    for (const round of rounds) {
      if (inUse.has(round.record.key) || bestRounds.has(round.iteration)) stay.add(round);
    }
    return stay;
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
    if (drops.length === 0) return;
    users.ifAlone(() => {
      for (const { round, port } of drops) {
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
      }
      dropAll();
    },
    told(figure, iteration, value) {
      if (bests.note(figure, iteration, value)) dropAll();
    },
  };
}

/** Outputs that somebody reads of all rounds, as `block.stage.port`: these stay whatever `keep` says. */
function gatheredPorts(blueprint: Blueprint): Set<string> {
  const references = allStages(blueprint).flatMap((plan) =>
    Object.values(plan.bindings).flatMap(referencesOf)
  );
  return new Set(references.flatMap((r) => r.from === "all" ? [`${r.stage.path}.${r.port}`] : []));
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
