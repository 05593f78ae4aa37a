/**
 * The driver: walks a blueprint, takes from the store what is there, runs what is not, and puts the outputs into the run
 * directory. Killed at any moment and started again, it goes on from the last committed action.
 * @module
 */
import { join } from "node:path";
import type { BestIteration, FinishedNode, RunEvent, RunResult } from "@/lib/contracts/events.ts";
import { diskError } from "@/lib/files/file_errors.ts";
import { exitCodeOf, TryAgainError } from "@/lib/tensor/errors.ts";
import { type ActionRecord, hostFacts } from "./action_record.ts";
import type { ActionOptions, KeyedNode } from "./actions.ts";
import { allStages, type Blueprint, type StageSource } from "./blueprint.ts";
import { checkSpace } from "./check_space.ts";
import type { CodeDigests } from "./code_digest.ts";
import { figureValue } from "./figures.ts";
import { openInputDigests } from "./input_digests.ts";
import { createMaker, Diverged } from "./maker.ts";
import { memoryFiles } from "./memory_files.ts";
import { doneEvents, finishedNode, type Untimed } from "./node_events.ts";
import { allNodes, type Node, nodeName } from "./nodes.ts";
import { createPruner } from "./prune.ts";
import { seldomPublished, writtenAtOnce } from "./publishing.ts";
import { reasonToRun } from "./reasons.ts";
import { holdRunDirectory } from "./run_directory.ts";
import { copyOutputs } from "./run_outputs.ts";
import { openStore } from "./store.ts";
import { joinStore } from "./store_users.ts";
import type { Executor } from "./task.ts";
import { threadBudget } from "./thread_budget.ts";
import { type OutputValues, walk } from "./walk.ts";

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
  const bests = new Map<string, BestIteration>();
  const pruner = createPruner(blueprint, store, users);
  const maker = createMaker({
    actions,
    pruner,
    keyed: (node) => keyed.get(node.id)!,
    async remade(node, { record, ran }) {
      await announce(node, record, ran);
      await pruner.finished(node, record);
    },
    failed(node, error) {
      const message = error instanceof Error ? error.message : String(error);
      emit({ ...nodeName(node), type: "stage_failed", message, exit_code: exitCodeOf(error) });
    },
  });
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
        const { record, ran } = found ? { record: found, ran: false } : await maker.make(ready, fresh);
        if (found) compareHost(found);
        const told = finished.get(ready.node.id)?.record.key === record.key;
        finished.set(ready.node.id, { node: ready.node, ready, record, cached: !ran });
        if (!told) await announce(ready.node, record, ran);
        await pruner.finished(ready.node, record);
        return record;
      },
      async figure(node, record, figure) {
        try {
          await maker.ensure({ from: "node", node, port: figure.port, record });
          const value = figureValue(await store.view(record, figure.port), figure);
          pruner.told(figure, node.iteration!, value);
          return value;
        } catch (error) {
          // Without it nothing is decided: more rounds would be work for nothing.
          if (!(error instanceof Diverged)) maker.fail(error);
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
    for (const event of await doneEvents(node, record, { ran, store })) emit(event);
  }

  try {
    const values = await untilStable(visitAll, options.fresh ?? false, maker.forget);
    pruner.publishLatest();
    const outputs = await copyOutputs(values, join(options.runDir, "outputs"), {
      store,
      maker,
      pruner,
      digests,
    });
    await digests.save();
    const nodes: FinishedNode[] = [];
    for (const { node, record, cached } of finished.values()) {
      nodes.push(await finishedNode(node, record, { cached, store }));
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
