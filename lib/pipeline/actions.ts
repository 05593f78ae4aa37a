/**
 * Brings one action about: looks it up, or runs its stage in a scratch place and commits what it wrote.
 * @module
 */
import { dirname, join } from "node:path";
import type { FileContent, HandOver } from "@/lib/files/hand_over.ts";
import type { StageProgress } from "@/lib/contracts/stage.ts";
import { TryAgainError } from "@/lib/tensor/errors.ts";
import { type ActionRecord, type HostFacts } from "./action_record.ts";
import { waitForLock } from "./file_lock.ts";
import type { MemoryFiles } from "./memory_files.ts";
import type { Node } from "./nodes.ts";
import type { Store } from "./store.ts";
import { type Executor, kindOf, outputNames, type Task } from "./task.ts";
import type { ThreadBudget } from "./thread_budget.ts";
import { listValues, mapValues, type ReadyNode, type Value } from "./walk.ts";

/** A node with all that its key is made of. */
export type KeyedNode = Extract<ReadyNode, { readonly key: string }>;

/** A stage's outputs are not what its ports promise: an error of the stage. Exit code 70. */
export class OutputError extends Error {
  override name = "OutputError";
}

/** Where and how actions run. */
export interface ActionOptions {
  readonly store: Store;
  readonly executor: Executor;
  /** large files that stages of this process hand over; undefined: the executor runs them elsewhere */
  readonly memory: MemoryFiles | undefined;
  /** whether an output that is handed over is written as well */
  readonly writtenAtOnce: (node: Node, port: string) => boolean;
  readonly budget: ThreadBudget;
  readonly signal: AbortSignal;
  readonly host: (threads: number) => HostFacts;
  readonly started: (ready: KeyedNode) => void;
  readonly progress: (node: Node, progress: StageProgress) => void;
}

/**
 * Runs `ready` and commits it. If another run works on the same action, waits for it and takes its result (not if
 * `again` is true).
 * @throws {TryAgainError} on a stop; what the stage throws; {OutputError} if an output is missing or of another kind
 */
export async function runAction(
  ready: KeyedNode,
  again: boolean,
  options: ActionOptions,
): Promise<{ readonly record: ActionRecord; readonly ran: boolean }> {
  const { store, signal } = options;
  using share = await options.budget.take();
  using lock = await waitForLock(store.lockFile(ready.key), signal);
  if (!lock || signal.aborted) throw new TryAgainError("Cannot go on as the run is to stop: nothing is lost");
  const theirs = again ? undefined : store.get(ready.key);
  if (theirs && Object.values(theirs.outputs).every(store.holds)) return { record: theirs, ran: false };

  options.started(ready);
  const { stage } = ready.node.plan;
  const names = outputNames(stage.outputs);
  const attempt = store.attempt(ready.key);
  const begun = performance.now();
  const task: Task = {
    version: 1,
    stage: stage.id,
    key: ready.key,
    params: ready.parts.params as Record<string, unknown>,
    inputs: await inputPaths(store, ready),
    outputs: Object.fromEntries(Object.entries(names).map(([port, name]) => [port, join(attempt, name)])),
    seed: ready.parts.seed ?? 0,
    iteration: ready.parts.iteration ?? 0,
    threads: share.threads,
    scratch: store.scratch(ready.key),
    lock: `${store.lockFile(ready.key)}.worker`,
  };
  let tokens: number | undefined;
  const warnings: string[] = [];
  const progress = (p: StageProgress) => {
    if (Number.isFinite(p.fields?.tokens)) tokens = p.fields!.tokens;
    if (p.warning !== undefined) warnings.push(p.warning);
    options.progress(ready.node, p);
  };
  const given = new Map<string, FileContent>();
  const handOver = options.memory &&
    handOverOf(ready.node, task, given, { ...options, memory: options.memory });
  await options.executor.run(task, { signal, progress, ...(handOver ? { handOver } : {}) });
  checkOutputs(ready.node, task);
  const record = await store.commit(attempt, {
    version: 1,
    key: ready.key,
    parts: ready.parts,
    names,
    seconds: (performance.now() - begun) / 1000,
    ...(tokens === undefined ? {} : { tokens }),
    ...(warnings.length === 0 ? {} : { warnings }),
    finished: new Date().toISOString(),
    host: options.host(share.threads),
  }, given);
  return { record, ran: true };
}

/** What a task may take from memory, and where what it gives goes: into `given`, by path. */
function handOverOf(
  node: Node,
  task: Task,
  given: Map<string, FileContent>,
  { memory, writtenAtOnce }: { readonly memory: MemoryFiles } & Pick<ActionOptions, "writtenAtOnce">,
): HandOver {
  return {
    taken: (path) => memory.at(path),
    names: (directory) => memory.names(directory),
    release: (directory) => memory.release(directory),
    give(path, content) {
      const port = Object.keys(task.outputs).find((name) => task.outputs[name] === dirname(path));
      if (port === undefined || !node.plan.stage.outputs[port]?.handedOver) return true;
      given.set(path, content);
      return writtenAtOnce(node, port);
    },
  };
}

async function inputPaths(store: Store, ready: KeyedNode): Promise<Task["inputs"]> {
  const paths = new Map<Value, string>();
  for (const values of Object.values(ready.inputs)) {
    for (const value of listValues(values)) {
      paths.set(value, value.from === "input" ? value.path : await store.view(value.record, value.port));
    }
  }
  const entries = Object.entries(ready.inputs).map((
    [port, values],
  ) => [port, mapValues(values, (v) => paths.get(v)!)]);
  return Object.fromEntries(entries) as Task["inputs"];
}

/** Every output that is not optional is there and is a file or directory as its port says. */
function checkOutputs(node: Node, task: Task): void {
  const problems: string[] = [];
  for (const [port, description] of Object.entries(node.plan.stage.outputs)) {
    const info = statOf(task.outputs[port]!);
    const wanted = kindOf(description);
    if (!info && !description.optional) problems.push(`${port} was not written`);
    if (info && wanted !== "either" && info.isFile !== (wanted === "file")) {
      problems.push(`${port} must be a ${wanted}`);
    }
  }
  const names = new Set(Object.values(task.outputs));
  for (const entry of Deno.readDirSync(dirname([...names][0] ?? "."))) {
    const path = join(dirname([...names][0] ?? "."), entry.name);
    if (!names.has(path)) problems.push(`${entry.name} belongs to no output`);
  }
  if (problems.length > 0) {
    throw new OutputError(
      `Cannot accept what ${node.id} wrote as it must be what ${node.plan.stage.id} declares: ${
        problems.join(", ")
      }`,
    );
  }
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
