/**
 * The driver: walks a blueprint, takes from the store what is there, runs what is not, and puts the outputs into the run
 * directory. Killed at any moment and started again, it goes on from the last committed action.
 * @module
 */
import { join } from "node:path";
import { readEvals } from "@/lib/contracts/evals.ts";
import type { BestRound, FinishedNode, RunEvent, RunResult } from "@/lib/contracts/events.ts";
import { diskError } from "@/lib/files/file_errors.ts";
import { exitCodeOf, TryAgainError } from "@/lib/tensor/errors.ts";
import { type ActionRecord, hostFacts } from "./action_record.ts";
import { type ActionOptions, type KeyedNode, runAction } from "./actions.ts";
import { allStages, type Blueprint, type StageSource } from "./blueprint.ts";
import { checkSpace } from "./check_space.ts";
import type { CodeDigests } from "./code_digest.ts";
import { figureValue } from "./figures.ts";
import { openInputDigests } from "./input_digests.ts";
import { memoryFiles } from "./memory_files.ts";
import { lastMetrics } from "./metric_values.ts";
import { allNodes, type Node, nodeName } from "./nodes.ts";
import { createPruner } from "./prune.ts";
import { seldomPublished, writtenAtOnce } from "./publishing.ts";
import { reasonToRun } from "./reasons.ts";
import { copyOutput, holdRunDirectory, removeHalfMade } from "./run_directory.ts";
import { openStore } from "./store.ts";
import { joinStore } from "./store_users.ts";
import type { Executor } from "./task.ts";
import { threadBudget } from "./thread_budget.ts";
import { listValues, type OutputValues, type Value, walk } from "./walk.ts";

/** How a run goes about it. Nothing of this changes a byte of the outputs. */
export interface RunOptions {
  readonly stages: StageSource;
  readonly code: CodeDigests;
  readonly executor: Executor;
  readonly runDir: string;
  readonly storeDir: string;
  readonly threads: number;
  /** how long to wait for a run directory in use, which a killed run frees at its next step; default 5000 */
  readonly patienceMs?: number;
  /** runs everything, whatever the store holds */
  readonly fresh?: boolean;
  /** aborted: finish the step in hand and stop */
  readonly signal?: AbortSignal;
  readonly listener?: (event: RunEvent) => void;
  /** told of what is no error but worth a line */
  readonly warn?: (message: string) => void;
}

/** An event before it is stamped. */
type Untimed = RunEvent extends infer E ? E extends RunEvent ? Omit<E, "time"> : never : never;

/** A recorded action gave other bytes when it ran again: what was planned on top of it is void. */
class Diverged extends Error {
  override name = "Diverged";
}

/**
 * Runs `blueprint`.
 * @throws {TryAgainError} on a stop, if the run directory is in use, or if the disk is too small; the error of the
 * first stage that fails
 */
export async function runPipeline(blueprint: Blueprint, options: RunOptions): Promise<RunResult> {
  using directory = await holdRunDirectory(options.runDir, options.patienceMs ?? 5000);
  const begun = performance.now();
  const memory = options.executor.sharesMemory ? memoryFiles() : undefined;
  const store = openStore(options.storeDir, memory);
  using users = joinStore(options.storeDir);
  const digests = openInputDigests(options.storeDir);
  const signal = options.signal ?? new AbortController().signal;
  const emit = (event: Untimed) => {
    const timed = { time: Date.now(), ...event } as RunEvent;
    directory.log(timed);
    options.listener?.(timed);
  };

  emit({
    type: "run_started",
    manifest: blueprint.manifest,
    run_dir: options.runDir,
    seed: blueprint.seed,
    threads: options.threads,
    executor: options.executor.name,
    nodes: allNodes(blueprint).map(nodeName),
  });
  const codes = new Map(
    allStages(blueprint).map((
      plan,
    ) => [plan.stage.id, options.code.of(options.stages.program(plan.stage.id))]),
  );
  const inputs = Object.fromEntries(
    Object.entries(blueprint.inputs).map(([name, path]) => [name, path === null ? null : digests.tree(path)]),
  );
  directory.begin(blueprint, inputs);
  let spaceChecked = false;
  let failure: unknown;

  const seldom = memory ? [] : seldomPublished(blueprint);
  if (seldom.length > 0) {
    options.warn?.(
      `${
        seldom.join(", ")
      }, but the executor ${options.executor.name} shares no memory: every round is written`,
    );
  }
  const actions: ActionOptions = {
    store,
    executor: options.executor,
    memory,
    writtenAtOnce: writtenAtOnce(blueprint),
    budget: threadBudget(options.threads, options.executor.parallel),
    signal,
    host: (threads) => hostFacts(options.code.onnxruntime, threads),
    started(ready) {
      if (!spaceChecked) estimate();
      spaceChecked = true;
      const reason = options.fresh
        ? "asked to run afresh"
        : reasonToRun(ready.parts, directory.before(ready.node.id));
      emit({ ...nodeName(ready.node), type: "stage_started", key: ready.key, reason });
    },
    progress: (node, progress) => emit({ ...nodeName(node), type: "stage_progress", ...progress }),
  };

  function estimate(): void {
    const figures = checkSpace(blueprint, inputs, options.storeDir);
    emit({ type: "estimated", ...figures });
    if (figures.memory_bytes > figures.memory_free_bytes) {
      const [needed, free] = [figures.memory_bytes, figures.memory_free_bytes].map((n) =>
        (n / 2 ** 30).toFixed(1)
      );
      options.warn?.(`the run may need ${needed} GiB of memory: ${free} GiB are free`);
    }
  }

  const here = hostFacts(options.code.onnxruntime, options.threads);
  let warnedOfHost = false;
  /** Bytes made elsewhere are as good, but may differ in the last bits from what this machine would make. */
  function compareHost(record: ActionRecord): void {
    const { instruction_set: made, provider } = record.host;
    if (warnedOfHost || made === here.instruction_set && provider === here.provider) return;
    warnedOfHost = true;
    options.warn?.(
      `some results come from another machine (${made}, ${provider}): equal bytes are not promised`,
    );
  }

  const keyed = new Map<string, KeyedNode>();
  const finished = new Map<string, { node: Node; ready: KeyedNode; record: ActionRecord; cached: boolean }>();
  const bests = new Map<string, BestRound>();
  /** actions that run again as their bytes were gone, while they do */
  const repairs = new Map<string, Promise<{ record: ActionRecord; ran: boolean }>>();
  /** actions under way or done in this run, by key: two nodes with one key share them */
  const running = new Map<string, Promise<{ record: ActionRecord; ran: boolean }>>();

  /** Runs an action with its inputs at hand, whatever was pruned or damaged. */
  async function attempt(ready: KeyedNode, again: boolean): Promise<{ record: ActionRecord; ran: boolean }> {
    const inputs = Object.entries(ready.inputs).flatMap(([port, values]) => {
      const inMemory = memory !== undefined && ready.node.plan.stage.inputs[port]?.handedOver === true;
      return listValues(values).map((value) => ({ value, inMemory }));
    });
    try {
      return await pruner.sparing(inputs.flatMap(({ value }) => recordsOf(value)), async () => {
        for (const { value, inMemory } of inputs) await ensure(value, inMemory);
        if (failure !== undefined) throw failure;
        if (signal.aborted) throw new TryAgainError("Cannot go on as the run is to stop: nothing is lost");
        return await runAction(ready, again, actions);
      });
    } catch (error) {
      if (failure === undefined && !(error instanceof Diverged)) {
        failure = error;
        if (!signal.aborted) {
          const message = error instanceof Error ? error.message : String(error);
          emit({ ...nodeName(ready.node), type: "stage_failed", message, exit_code: exitCodeOf(error) });
        }
      }
      throw failure ?? error;
    }
  }

  function execute(ready: KeyedNode, again: boolean): Promise<{ record: ActionRecord; ran: boolean }> {
    const known = running.get(ready.key) ?? attempt(ready, again);
    running.set(ready.key, known);
    return known;
  }

  /**
   * Makes sure that the bytes of `value` are in the store, or with `inMemory` at least there: what was handed over is
   * written, what was pruned or damaged is made again.
   */
  async function ensure(value: Value, inMemory = false): Promise<void> {
    if (value.from === "input") return;
    const tree = value.record.outputs[value.port]!;
    const isThere = () => {
      if (inMemory ? store.reaches(tree) : store.holds(tree)) return true;
      if (store.reaches(tree)) pruner.publish(value.record, value.port);
      return store.holds(tree);
    };
    if (isThere()) return;
    const { key } = value.record;
    const repair = repairs.get(key) ?? remake(keyed.get(value.node.id)!).finally(() => repairs.delete(key));
    repairs.set(key, repair);
    const { record } = await repair;
    if (record.outputs[value.port]?.digest === tree.digest && isThere()) return;
    throw new Diverged(`${value.node.id} gave other bytes than those on record`);
  }

  async function remake(ready: KeyedNode): Promise<{ record: ActionRecord; ran: boolean }> {
    const result = await attempt(ready, true);
    await announce(ready.node, result.record, result.ran);
    await pruner.finished(ready.node, result.record);
    return result;
  }

  const pruner = createPruner(blueprint, store, users);
  const visitAll = (fresh: boolean): Promise<OutputValues> =>
    walk(blueprint, {
      code: (id) => codes.get(id)!,
      inputTree: digests.tree,
      async visit(ready) {
        if (!("key" in ready)) {
          throw new TypeError(`Cannot visit ${ready.node.id} as its inputs must be known`);
        }
        keyed.set(ready.node.id, ready);
        directory.record(ready.node.id, ready.key, ready.parts);
        const found = fresh ? undefined : store.get(ready.key);
        const { record, ran } = found ? { record: found, ran: false } : await execute(ready, fresh);
        if (found) compareHost(found);
        const told = finished.get(ready.node.id)?.record.key === record.key;
        finished.set(ready.node.id, { node: ready.node, ready, record, cached: !ran });
        if (!told) await announce(ready.node, record, ran);
        await pruner.finished(ready.node, record);
        return record;
      },
      async figure(node, record, figure) {
        try {
          await ensure({ from: "node", node, port: figure.port, record });
          const value = figureValue(await store.view(record, figure.port), figure);
          pruner.told(figure, node.iteration!, value);
          return value;
        } catch (error) {
          // Without it nothing is decided: more rounds would be work for nothing.
          if (!(error instanceof Diverged)) failure ??= error;
          throw error;
        }
      },
      loopEnded(block, iteration, reason) {
        pruner.publishLatest(block);
        emit({ type: "loop_ended", block, iteration, reason });
      },
      loopBest(best) {
        bests.set(best.block, best);
        emit({ type: "loop_best", ...best });
      },
    });

  async function announce(node: Node, record: ActionRecord, ran: boolean): Promise<void> {
    const common = { ...nodeName(node), key: record.key, seconds: record.seconds, ...throughput(record) };
    if (ran) {
      const outputs = Object.fromEntries(
        Object.entries(record.outputs).map(([port, tree]) => [port, tree.digest]),
      );
      emit({ ...common, type: "stage_finished", outputs });
    } else {
      const { warnings } = record;
      emit({ ...common, type: "stage_cached", ...(warnings === undefined ? {} : { warnings }) });
    }
    for (const [port, tree] of Object.entries(record.outputs)) {
      const contract = node.plan.stage.outputs[port]?.contract;
      if (contract !== "metrics@1" && contract !== "evals@1" || !store.holds(tree)) continue;
      const path = await store.view(record, port);
      if (contract === "evals@1") emit({ ...nodeName(node), type: "evals", rows: readEvals(path) });
      else if (port === "metrics") emit({ ...nodeName(node), type: "metrics", values: lastMetrics(path) });
    }
  }

  try {
    const values = await untilStable(visitAll, options.fresh ?? false, () => running.clear());
    pruner.publishLatest();
    const outputs = await copyOutputs(values);
    await digests.save();
    const nodes: FinishedNode[] = [];
    for (const { node, record, cached } of finished.values()) {
      nodes.push(await finishedNode(node, record, cached));
    }
    const cached = nodes.filter((node) => node.cached).length;
    const seconds = (performance.now() - begun) / 1000;
    emit({ type: "run_finished", seconds, ran: nodes.length - cached, cached });
    return {
      manifest: blueprint.manifest,
      runDir: options.runDir,
      seed: blueprint.seed,
      seconds,
      nodes,
      best: [...bests.values()],
      outputs,
    };
  } catch (error) {
    // A memo that cannot be kept, on a full disk for one, must not hide what went wrong.
    await digests.save().catch(() => {});
    publishRest();
    if (!signal.aborted) throw diskError(options.storeDir, error);
    const message = `Stopped: ${finished.size} of ${
      allNodes(blueprint).length
    } stages are done and kept; the same command goes on from there`;
    emit({ type: "run_stopped", message });
    throw new TryAgainError(message, { cause: error });
  }

  /** Writes what a run that goes on later would have to make again. */
  function publishRest(): void {
    try {
      pruner.publishLatest();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      options.warn?.(`rounds in memory are lost and will be made again: ${message}`);
    }
  }

  async function copyOutputs(values: OutputValues): Promise<Record<string, string>> {
    const paths: Record<string, string> = {};
    Deno.mkdirSync(join(options.runDir, "outputs"), { recursive: true });
    removeHalfMade(join(options.runDir, "outputs"));
    for (const [name, value] of Object.entries(values)) {
      if (value) await pruner.sparing(recordsOf(value), async () => paths[name] = await copy(name, value));
    }
    return paths;
  }

  async function copy(name: string, value: Value): Promise<string> {
    await ensure(value);
    const isInput = value.from === "input";
    const from = isInput ? value.path : await store.view(value.record, value.port);
    const tree = isInput ? value.tree : value.record.outputs[value.port]!;
    const extension = tree.kind === "directory" ? "" : /\.\w+$/.exec(from)?.[0] ?? "";
    const to = join(options.runDir, "outputs", `${name}${extension}`);
    copyOutput(from, to, () => digestAt(to), tree);
    return to;
  }

  function digestAt(path: string): string | undefined {
    try {
      return digests.tree(path).digest;
    } catch {
      return undefined;
    }
  }

  async function finishedNode(node: Node, record: ActionRecord, cached: boolean): Promise<FinishedNode> {
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
      outputs,
    };
  }
}

/** The record of the action that made `value`, if one did. */
function recordsOf(value: Value): ActionRecord[] {
  return value.from === "node" ? [value.record] : [];
}

/** What a stage worked on, and how fast: over its whole time, reading models and compiling included. */
function throughput({ tokens, seconds }: ActionRecord): { tokens?: number; tokens_per_second?: number } {
  if (tokens === undefined) return {};
  return { tokens, ...(seconds > 0 ? { tokens_per_second: tokens / seconds } : {}) };
}

/** Walks again where an action that had to run again gave other bytes: everything on top of it has other keys then. */
async function untilStable(
  visitAll: (fresh: boolean) => Promise<OutputValues>,
  fresh: boolean,
  reset: () => void,
): Promise<OutputValues> {
  for (let i = 0;; i++) {
    try {
      return await visitAll(fresh && i === 0);
    } catch (error) {
      if (!(error instanceof Diverged) || i === 3) throw error;
      reset();
    }
  }
}
