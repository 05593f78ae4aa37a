/**
 * Finds what a run would do, without doing it: which nodes are cached, which would run, and why.
 * @module
 */
import type { NodeName } from "@/lib/data/contracts/events.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { allStages, type Blueprint, type StageSource } from "./blueprint.ts";
import { type CodeDigests, stageDigests } from "./code_digest.ts";
import { InputDigests } from "./input_digests.ts";
import { readLoopMetric } from "./loop_metrics.ts";
import { nodeName } from "./nodes.ts";
import { changesOf, forcedReason, reasonToRun } from "./reasons.ts";
import { lockedParts } from "./run_directory.ts";
import { Store } from "./store.ts";
import { statOf } from "./tree.ts";
import { listValues, type NodeValue, type OutputValues, treeOf, walk } from "./walk.ts";
import { append, largest } from "@/lib/compute/tensor/large_lists.ts";

/** One node of a dry run, or a loop with a condition. */
export interface DryRunNode extends NodeName {
  /** `ppo.update[3]` */
  readonly id: string;
  readonly runs: boolean;
  /** `skip`: a loop that does not run; `maybe`: one whose condition is not known yet. Absent for stages */
  readonly loop?: "skip" | "maybe";
  /** why it runs; "cached" if it does not; of a loop, its condition */
  readonly reason: string;
  /** key of its action; absent if its inputs are not known yet */
  readonly key?: string;
  /** parts of the key that changed since the last run in the run directory, old → new */
  readonly changes?: readonly string[];
}

/** Directories of a dry run, and the stages. */
export interface DryRunOptions {
  readonly stages: StageSource;
  readonly code: CodeDigests;
  readonly runDir: string;
  readonly storeDir: string;
  readonly fresh?: boolean;
  /** paths of stages that run whatever the store has */
  readonly forced?: ReadonlySet<string>;
  /** digests of inputs that are known already */
  readonly digests?: InputDigests;
  /** stop when so many nodes that would run are found; default: all nodes are returned */
  readonly most?: number;
}

/** Ends the walk of a dry run that has found enough. */
class Enough extends Error {
  override name = "Enough";
}

/**
 * Returns all nodes in the order in which they become ready. A loop whose end is not known yet counts with all its
 * iterations, and what reads from a best iteration that is not known yet waits for the metrics.
 */
export async function dryRun(blueprint: Blueprint, options: DryRunOptions): Promise<readonly DryRunNode[]> {
  // A dry run must leave no trace, so a store that does not exist is not made.
  const store = statOf(options.storeDir) === undefined ? undefined : new Store(options.storeDir);
  const digests = options.digests ?? new InputDigests(options.storeDir);
  const before = lockedParts(options.runDir);
  const codes = stageDigests(allStages(blueprint), options.stages, options.code);
  const nodes: DryRunNode[] = [], most = options.most ?? Infinity;
  let running = 0;
  const add = (node: DryRunNode) => {
    if (running >= most) throw new Enough();
    nodes.push(node);
    if (node.runs) running++;
  };
  const inputs = new Map<string, readonly NodeValue[]>();
  const outputs: OutputValues = await walk(blueprint, {
    code: (id) => codes.get(id)!,
    inputTree: (path) => digests.tree(path),
    visit(ready) {
      const { node, key, parts } = ready;
      inputs.set(node.id, Object.values(ready.inputs).flatMap(listValues));
      const forced = forcedReason(options, node.plan.path);
      const record = forced === undefined ? store?.get(key) : undefined;
      const reason = record ? "cached" : forced ?? reasonToRun(parts, before(node.id));
      const last = before(node.id), changes = last && !record ? { changes: changesOf(parts, last) } : {};
      add({ ...nodeName(node), id: node.id, runs: !record, reason, key, ...changes });
      return Promise.resolve(record);
    },
    waiting({ node, waitsFor }) {
      const reason = `depends on ${listed(waitsFor, { most: 3, separator: ", " })}`;
      add({ ...nodeName(node), id: node.id, runs: true, reason });
    },
    async readMetric(_node, record, metric) {
      const tree = record.outputs[metric.port];
      if (!tree || !store!.isSound(tree)) return undefined;
      return readLoopMetric(await store!.view(record, metric.port), metric);
    },
    loopSkipped: (id, reason) =>
      void nodes.push({ stage: id, uses: "", id, runs: false, loop: "skip", reason }),
    loopUndecided: (id, condition) =>
      void nodes.push({
        stage: id,
        uses: "",
        id,
        runs: false,
        loop: "maybe",
        reason: `only if ${condition}`,
      }),
    loopEnded: () => {},
    loopBest: () => {},
  }).catch((error) => {
    if (error instanceof Enough) return {};
    throw error;
  });
  if (!store) return nodes;
  const again = missingOutputs(nodes, inputs, Object.values(outputs), store);
  return nodes.map((node) => {
    const reason = again.get(node.id);
    return reason === undefined ? node : { ...node, runs: true, reason };
  });
}

/** Returns the cached nodes that run again as an output that is needed is not in the store, with the reason. */
function missingOutputs(
  nodes: readonly DryRunNode[],
  inputs: ReadonlyMap<string, readonly NodeValue[]>,
  outputs: readonly (NodeValue | undefined)[],
  store: Store,
): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>();
  const needed = outputs.flatMap((value) => value ?? []);
  for (const { id, runs } of nodes) if (runs) append(needed, inputs.get(id) ?? []);
  for (let value = needed.pop(); value; value = needed.pop()) {
    if (value.from === "input" || reasons.has(value.node.id) || store.holds(treeOf(value))) continue;
    const { record, port, node } = value;
    const why = record.unpublished?.includes(port) ? "was in memory only" : "is no longer in the store";
    reasons.set(node.id, `${port} ${why}`);
    append(needed, inputs.get(node.id) ?? []);
  }
  return reasons;
}

/**
 * Returns the dry run as text: one line for each node that runs and each loop with a condition, and how many are cached.
 * @param explain adds a line with full digests for each changed part of a key
 */
export function dryRunText(nodes: readonly DryRunNode[], explain = false): string {
  const width = largest(nodes.map(({ id }) => id.length), 0);
  const shown = nodes.filter(({ runs, loop }) => runs || loop !== undefined);
  const lines = shown.flatMap(({ id, loop, reason, key, changes = [] }) => [
    `${(loop ?? "run").padEnd(6)}  ${id.padEnd(width)}  ${reason}`,
    ...(explain
      ? [...changes, ...(key === undefined ? [] : [`key: ${key}`])].map((line) => `          ${line}`)
      : []),
  ]);
  const stages = nodes.filter(({ loop }) => loop === undefined);
  const toRun = stages.filter(({ runs }) => runs).length;
  return `${
    [
      ...lines,
      `${toRun} ${toRun === 1 ? "stage" : "stages"} to run, ${stages.length - toRun} cached`,
    ].join("\n")
  }\n`;
}
