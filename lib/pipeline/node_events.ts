/** What a run tells of a node that is done. @module */
import { readEvals } from "@/lib/contracts/evals.ts";
import type { FinishedNode, RunEvent } from "@/lib/contracts/events.ts";
import type { ActionRecord } from "./action_record.ts";
import { lastMetrics } from "./metric_values.ts";
import { type Node, nodeName } from "./nodes.ts";
import type { Store } from "./store.ts";

/** An event before it is stamped. */
export type Untimed = RunEvent extends infer E ? E extends RunEvent ? Omit<E, "time"> : never : never;

/** That `node` was run or found, and the figures that it left behind. */
export async function doneEvents(
  node: Node,
  record: ActionRecord,
  { ran, store }: { readonly ran: boolean; readonly store: Store },
): Promise<Untimed[]> {
  const name = nodeName(node), { key, seconds, warnings } = record;
  const common = { ...name, key, seconds, ...throughput(record) };
  const outputs = Object.entries(record.outputs);
  const events: Untimed[] = ran
    ? [{
      ...common,
      type: "stage_finished",
      outputs: Object.fromEntries(outputs.map(([port, tree]) => [port, tree.digest])),
    }]
    : [{ ...common, type: "stage_cached", ...(warnings === undefined ? {} : { warnings }) }];
  for (const [port, tree] of outputs) {
    const contract = node.plan.stage.outputs[port]?.contract;
    if (contract !== "metrics@1" && contract !== "evals@1" || !store.holds(tree)) continue;
    const path = await store.view(record, port);
    if (contract === "evals@1") events.push({ ...name, type: "evals", rows: readEvals(path) });
    else if (port === "metrics") events.push({ ...name, type: "metrics", values: lastMetrics(path) });
  }
  return events;
}

/** What a stage worked on, and how fast: over its whole time, reading models and compiling included. */
function throughput({ tokens, seconds }: ActionRecord): { tokens?: number; tokens_per_second?: number } {
  if (tokens === undefined) return {};
  return { tokens, ...(seconds > 0 ? { tokens_per_second: tokens / seconds } : {}) };
}

/** `node` as the result of a run lists it: with the outputs that the store still holds. */
export async function finishedNode(
  node: Node,
  record: ActionRecord,
  { cached, store }: { readonly cached: boolean; readonly store: Store },
): Promise<FinishedNode> {
  const outputs: Record<string, string> = {};
  for (const [port, tree] of Object.entries(record.outputs)) {
    if (store.holds(tree)) outputs[port] = await store.view(record, port);
  }
  const { key, seconds, tokens, parts } = record;
  return {
    ...nodeName(node),
    key,
    cached,
    seconds,
    ...(tokens === undefined ? {} : { tokens }),
    params: parts.params,
    inputs: parts.inputs,
    outputs,
  };
}
