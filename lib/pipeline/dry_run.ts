/**
 * What a run would do, without doing it: which nodes are in the store, which would run, and why.
 * @module
 */
import type { NodeName } from "@/lib/contracts/events.ts";
import { allStages, type Blueprint, type StageSource } from "./blueprint.ts";
import type { CodeDigests } from "./code_digest.ts";
import { figureValue } from "./figures.ts";
import { openInputDigests } from "./input_digests.ts";
import { nodeName } from "./nodes.ts";
import { reasonToRun } from "./reasons.ts";
import { lockedParts } from "./run_directory.ts";
import { openStore, type Store } from "./store.ts";
import { listValues, type Value, walk } from "./walk.ts";

/** The prospect of one node. */
export interface Prospect extends NodeName {
  /** `ppo.update[3]` */
  readonly id: string;
  readonly runs: boolean;
  /** why it runs; "in the store" where it does not */
  readonly reason: string;
  /** key of its action; absent while inputs of it are not known */
  readonly key?: string;
}

/** Where to look. */
export interface DryRunOptions {
  readonly stages: StageSource;
  readonly code: CodeDigests;
  readonly runDir: string;
  readonly storeDir: string;
  readonly fresh?: boolean;
}

/**
 * Prospects of all nodes in the order in which they become ready. A loop whose end is not known yet is taken for as long
 * as its count allows, and what reads from a best round that is not known yet waits for the figures.
 */
export async function dryRun(blueprint: Blueprint, options: DryRunOptions): Promise<readonly Prospect[]> {
  // Looking must leave no trace, so a store that is not there is not made.
  const store: Store | undefined = isDirectory(options.storeDir) ? openStore(options.storeDir) : undefined;
  const digests = openInputDigests(options.storeDir);
  const before = lockedParts(options.runDir);
  const codes = new Map(
    allStages(blueprint).map(({ stage }) => [stage.id, options.code.of(options.stages.program(stage.id))]),
  );
  const prospects: Prospect[] = [];
  const inputs = new Map<string, readonly Value[]>();
  const outputs = await walk(blueprint, {
    code: (id) => codes.get(id)!,
    inputTree: digests.tree,
    visit(ready) {
      const common = { ...nodeName(ready.node), id: ready.node.id };
      if (!("key" in ready)) {
        prospects.push({ ...common, runs: true, reason: `reads ${some(ready.waitsFor)}` });
        return Promise.resolve(undefined);
      }
      inputs.set(ready.node.id, Object.values(ready.inputs).flatMap(listValues));
      const record = options.fresh ? undefined : store?.get(ready.key);
      const why = options.fresh ? "asked to run afresh" : reasonToRun(ready.parts, before(ready.node.id));
      prospects.push({ ...common, runs: !record, reason: record ? "in the store" : why, key: ready.key });
      return Promise.resolve(record);
    },
    async figure(_node, record, figure) {
      const tree = record.outputs[figure.port];
      return tree && store!.holds(tree)
        ? figureValue(await store!.view(record, figure.port), figure)
        : undefined;
    },
    loopEnded: () => {},
    loopBest: () => {},
  });
  const again = store
    ? madeAgain(prospects, inputs, Object.values(outputs), store)
    : new Map<string, string>();
  return prospects.map((prospect) => {
    const reason = again.get(prospect.id);
    return reason === undefined ? prospect : { ...prospect, runs: true, reason };
  });
}

/** Finished nodes that run again as what they wrote is asked for and not there, with the reason. */
function madeAgain(
  prospects: readonly Prospect[],
  inputs: ReadonlyMap<string, readonly Value[]>,
  outputs: readonly (Value | undefined)[],
  store: Store,
): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>();
  const wanted = outputs.flatMap((value) => value ?? []);
  for (const { id, runs } of prospects) if (runs) wanted.push(...inputs.get(id) ?? []);
  for (let value = wanted.pop(); value; value = wanted.pop()) {
    if (value.from === "input" || reasons.has(value.node.id)) continue;
    const { record, port, node } = value;
    if (store.holds(record.outputs[port]!)) continue;
    const why = record.unpublished?.includes(port) ? "was in memory only" : "is no longer in the store";
    reasons.set(node.id, `${port} ${why}`);
    wanted.push(...inputs.get(node.id) ?? []);
  }
  return reasons;
}

/** The prospects as text, one line each; nodes in the store are counted, not listed, unless all of them are. */
export function showProspects(prospects: readonly Prospect[]): string {
  const width = Math.max(0, ...prospects.map((p) => p.id.length));
  const lines = prospects.filter((p) => p.runs).map((p) => `run     ${p.id.padEnd(width)}  ${p.reason}`);
  const cached = prospects.length - lines.length;
  lines.push(`${lines.length} to run, ${cached} in the store`);
  return `${lines.join("\n")}\n`;
}

/** The first three names, and how many more there are. */
function some(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return `${names.slice(0, 3).join(", ")}${more}`;
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
