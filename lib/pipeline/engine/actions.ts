/**
 * Runs one action: its stage writes to a temporary directory, and the outputs are checked and committed to the store.
 * @module
 */
import { dirname, join } from "node:path";
import type { StageProgress } from "@/lib/data/contracts/stage.ts";
import type { FileContent, HandOver } from "@/lib/data/files/hand_over.ts";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import type { ActionRecord, HostFacts } from "./action_record.ts";
import { waitForLock } from "./file_lock.ts";
import type { MemoryFiles } from "./memory_files.ts";
import type { Node } from "./nodes.ts";
import type { Store } from "./store.ts";
import { type Executor, outputNames, portKind, type Task } from "./task.ts";
import type { ThreadBudget } from "./thread_budget.ts";
import { statOf } from "./tree.ts";
import { type KeyedNode, listValues, mapPorts, type NodeValue } from "./walk.ts";

/** A stage's outputs are not what its ports declare: an error of the stage. Exit code 70. */
class OutputError extends Error {
  override name = "OutputError";
}

/** Where and how actions run. */
export interface ActionOptions {
  readonly store: Store;
  readonly executor: Executor;
  /** files that stages hand over in memory; undefined: the executor shares no memory */
  readonly memory: MemoryFiles | undefined;
  /** whether an output that is handed over is written as well */
  readonly writtenAtOnce: (node: Node, port: string) => boolean;
  readonly budget: ThreadBudget;
  readonly signal: AbortSignal;
  readonly host: (threads: number) => HostFacts;
  /** of the stages; undefined: the processor */
  readonly device: string | undefined;
  readonly started: (ready: KeyedNode) => Promise<void>;
  readonly progress: (node: Node, progress: StageProgress) => void;
}

/** Returns the error of a run that was interrupted before its next action. */
export function interrupted(): TryAgainError {
  return new TryAgainError("Interrupted: finished stages are stored. Run the same command to resume");
}

/**
 * Runs `ready` and commits it. If another run works on the same action, waits for it and uses its result (not if `again`
 * is true).
 * @throws {TryAgainError} if interrupted; {OutputError} if an output is missing or of another kind; errors of the stage
 */
export async function runAction(
  ready: KeyedNode,
  again: boolean,
  options: ActionOptions,
): Promise<{ readonly record: ActionRecord; readonly ran: boolean }> {
  const { store, signal, memory } = options;
  using share = await options.budget.take(options.executor.cpus?.(ready.node.plan.path));
  using lock = await waitForLock(store.lockFile(ready.key), signal);
  if (!lock || signal.aborted) throw interrupted();
  const theirs = again ? undefined : store.get(ready.key);
  if (theirs && Object.values(theirs.outputs).every((tree) => store.holds(tree))) {
    return { record: theirs, ran: false };
  }
  await options.started(ready);
  const attempt = store.attempt(ready.key);
  const begun = performance.now();
  const task = await makeTask(ready, attempt, share.threads, options);
  const reported: { tokens?: number; warnings?: string[] } = {};
  const given = new Map<string, FileContent>();
  await options.executor.run(task, {
    signal,
    node: ready.node.id,
    progress(progress) {
      if (Number.isFinite(progress.fields?.tokens)) reported.tokens = progress.fields!.tokens!;
      if (progress.warning !== undefined) (reported.warnings ??= []).push(progress.warning);
      options.progress(ready.node, progress);
    },
    ...(memory ? { handOver: handOverOf(ready.node, task, given, memory, options.writtenAtOnce) } : {}),
  });
  checkOutputs(ready.node, task);
  const record = await store.commit(attempt, {
    version: 1,
    key: ready.key,
    parts: ready.parts,
    names: outputNames(ready.node.plan.stage.outputs),
    seconds: (performance.now() - begun) / 1000,
    ...reported,
    finished: new Date().toISOString(),
    host: options.host(share.threads),
  }, given);
  return { record, ran: true };
}

async function makeTask(
  ready: KeyedNode,
  attempt: string,
  threads: number,
  { store, device }: Pick<ActionOptions, "store" | "device">,
): Promise<Task> {
  const { key, parts, node, inputs } = ready;
  const paths = new Map<NodeValue, string>();
  for (const value of Object.values(inputs).flatMap(listValues)) {
    paths.set(value, value.from === "input" ? value.path : await store.view(value.record, value.port));
  }
  const names = Object.entries(outputNames(node.plan.stage.outputs));
  return {
    version: 1,
    stage: parts.stage,
    key,
    params: parts.params,
    inputs: mapPorts(inputs, (value) => paths.get(value)!),
    outputs: Object.fromEntries(names.map(([port, name]) => [port, join(attempt, name)])),
    seed: parts.seed ?? 0,
    iteration: parts.iteration ?? 0,
    threads,
    ...(device !== undefined && { device }),
    scratch: store.scratch(key),
    lock: `${store.lockFile(key)}.worker`,
  };
}

/** Returns the hand-over of one task (see memory_files.ts); what the task gives is added to `given`, by path. */
function handOverOf(
  node: Node,
  task: Task,
  given: Map<string, FileContent>,
  memory: MemoryFiles,
  isWritten: ActionOptions["writtenAtOnce"],
): HandOver {
  return {
    taken: (path) => memory.at(path),
    names: (directory) => memory.names(directory),
    release: (directory) => memory.release(directory),
    give(path, content) {
      const port = Object.keys(task.outputs).find((name) => task.outputs[name] === dirname(path));
      if (port === undefined || !node.plan.stage.outputs[port]?.handedOver) return true;
      given.set(path, content);
      return isWritten(node, port);
    },
  };
}

/** Checks that all required outputs exist, are a file or directory as their ports say, and that nothing else does. */
function checkOutputs({ id, plan }: Node, task: Task): void {
  const problems: string[] = [];
  for (const [port, description] of Object.entries(plan.stage.outputs)) {
    const info = statOf(task.outputs[port]!);
    const kind = portKind(description);
    if (!info && !description.optional) problems.push(`${port} was not written`);
    if (info && kind !== "either" && info.isFile !== (kind === "file")) {
      problems.push(`${port} must be a ${kind}`);
    }
  }
  const paths = Object.values(task.outputs), folder = dirname(paths[0] ?? ".");
  for (const { name } of Deno.readDirSync(folder)) {
    if (!paths.includes(join(folder, name))) problems.push(`${name} is not an output`);
  }
  if (problems.length === 0) return;
  throw new OutputError(
    `${id} did not write the outputs that ${plan.stage.id} declares: ${problems.join(", ")}`,
  );
}
