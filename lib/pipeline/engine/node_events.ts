/** Events and results of finished nodes. @module */
import { readEvals } from "@/lib/data/contracts/evals.ts";
import type { FinishedNode, RunEvent } from "@/lib/data/contracts/events.ts";
import type { ActionRecord } from "./action_record.ts";
import { lastMetrics } from "./loop_metrics.ts";
import { type Node, nodeName } from "./nodes.ts";
import { contractsOf } from "./ports.ts";
import type { Store } from "./store.ts";

/** An event before it gets its time. */
export type Untimed = RunEvent extends infer E ? E extends RunEvent ? Omit<E, "time"> : never : never;

/** Contracts of outputs that the events and the report of a run contain. */
const REPORTED: ReadonlySet<string> = new Set(["metrics", "evals", "samples", "prompts", "report"]);

/** Returns the ports of `record` that events or the report contain and that the store should have. */
export function reportedPorts(node: Node, record: ActionRecord): string[] {
  return Object.keys(record.outputs).filter((port) => {
    const output = node.plan.stage.outputs[port];
    const contracts = output === undefined ? [] : contractsOf(output);
    return contracts.some((contract) => REPORTED.has(contract.replace(/@\d+$/, "")));
  });
}

/** Returns the events of a node that ran or was cached, with the metrics and evaluations that it wrote. */
export async function doneEvents(
  node: Node,
  record: ActionRecord,
  { ran, store }: { readonly ran: boolean; readonly store: Store },
): Promise<Untimed[]> {
  const name = nodeName(node), { key, seconds, warnings } = record;
  const common = { ...name, key, seconds, ...throughput(record) };
  const outputs = Object.entries(record.outputs);
  const digests = Object.fromEntries(outputs.map(([port, tree]) => [port, tree.digest]));
  const events: Untimed[] = [
    ran
      ? { ...common, type: "stage_finished", outputs: digests }
      : { ...common, type: "stage_cached", ...(warnings === undefined ? {} : { warnings }) },
  ];
  for (const [port, tree] of outputs) {
    const contract = node.plan.stage.outputs[port]?.contract;
    if (contract !== "metrics@1" && contract !== "evals@1" || !store.holds(tree)) continue;
    const path = await store.view(record, port);
    if (contract === "evals@1") events.push({ ...name, type: "evals", rows: readEvals(path) });
    else if (port === "metrics") events.push({ ...name, type: "metrics", values: lastMetrics(path) });
  }
  return events;
}

/** Returns the tokens of a stage, and tokens per second over its whole time, with reading models and compiling. */
function throughput({ tokens, seconds }: ActionRecord): { tokens?: number; tokens_per_second?: number } {
  if (tokens === undefined) return {};
  return { tokens, ...(seconds > 0 ? { tokens_per_second: tokens / seconds } : {}) };
}

/** Returns `node` for the result of a run, with the outputs that the store still holds. */
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
  const facts = { key, cached, seconds, ...(tokens === undefined ? {} : { tokens }) };
  return { ...nodeName(node), ...facts, params: parts.params, inputs: parts.inputs, outputs };
}
