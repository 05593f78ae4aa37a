/**
 * The driver: walks a blueprint, uses cached results from the store, runs the other actions, and copies the outputs to the
 * run directory. A run that was interrupted or killed at any moment and is started again resumes after the last committed
 * action.
 * @module
 */
import { join } from "node:path";
import type { BestIteration, FinishedNode, RunEvent, RunResult } from "@/lib/data/contracts/events.ts";
import { diskError } from "@/lib/data/files/file_errors.ts";
import { exitCodeOf, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { type ActionRecord, type HostFacts, hostFacts, hostWarning } from "./action_record.ts";
import { allStages, type Blueprint, isLoop, type LoopMetric, type StageSource } from "./blueprint.ts";
import { checkSpace } from "./check_space.ts";
import { cleanStore, removePartial } from "./clean_store.ts";
import { type CodeDigests, stageDigests } from "./code_digest.ts";
import { dryRun } from "./dry_run.ts";
import { InputDigests } from "./input_digests.ts";
import { readLoopMetric } from "./loop_metrics.ts";
import { Diverged, Maker } from "./maker.ts";
import { MemoryFiles } from "./memory_files.ts";
import { doneEvents, finishedNode, reportedPorts, type Untimed } from "./node_events.ts";
import { countNodes, firstNodes, type Node, nodeName, plannedNodes } from "./nodes.ts";
import { Pruner } from "./prune.ts";
import { executorWarning, writtenAtOnce } from "./publishing.ts";
import { forcedReason, reasonToRun } from "./reasons.ts";
import { holdRunDirectory, type RunDirectory } from "./run_directory.ts";
import { copyOutputs } from "./run_outputs.ts";
import { Store } from "./store.ts";
import { StoreUsers } from "./store_users.ts";
import type { Executor } from "./task.ts";
import { ThreadBudget } from "./thread_budget.ts";
import { estimateTime, type TimeSteps } from "./time_estimate.ts";
import type { Tree } from "./tree.ts";
import { type KeyedNode, type OutputValues, walk } from "./walk.ts";

/** Options of a run. None of them changes a byte of the outputs. */
export interface RunOptions {
  readonly stages: StageSource;
  readonly code: CodeDigests;
  readonly executor: Executor;
  readonly runDir: string;
  readonly storeDir: string;
  readonly threads: number;
  /** device that computes; default: the processor */
  readonly device?: string;
  /** how long to wait for a run directory in use, which a killed run frees after its current step; default 5000 */
  readonly patienceMs?: number;
  /** runs everything, whatever the store holds */
  readonly fresh?: boolean;
  /** paths of stages that run whatever the store has */
  readonly forced?: ReadonlySet<string>;
  /** aborted: save after the current step and end */
  readonly signal?: AbortSignal;
  readonly listener?: (event: RunEvent) => void;
  /** measures the time of steps for an estimate of the run's time; undefined: no estimate */
  readonly timeSteps?: TimeSteps;
  /** called with warnings */
  readonly warn?: (message: string) => void;
}

/**
 * Runs `blueprint`.
 * @throws {TryAgainError} if it is interrupted, the run directory is in use, or the disk is too small; the error of the
 * first stage that fails
 */
export async function runPipeline(blueprint: Blueprint, options: RunOptions): Promise<RunResult> {
  using directory = await holdRunDirectory(options.runDir, options.patienceMs ?? 5000);
  const memory = options.executor.sharesMemory ? new MemoryFiles() : undefined;
  const store = new Store(options.storeDir, memory);
  using users = new StoreUsers(options.storeDir);
  removePartial(options.runDir);
  users.ifAlone(() => cleanStore(store));
  return await new Run(blueprint, options, directory, store, memory, users).execute();
}

interface Finished {
  readonly node: Node;
  readonly record: ActionRecord;
  readonly cached: boolean;
}

class Run {
  readonly #signal: AbortSignal;
  readonly #digests: InputDigests;
  readonly #host: HostFacts;
  readonly #pruner: Pruner;
  readonly #maker: Maker;
  readonly #begun = performance.now();
  /** nodes of this run with their keys, by id */
  readonly #keyed = new Map<string, KeyedNode>();
  readonly #finished = new Map<string, Finished>();
  readonly #best = new Map<string, BestIteration>();
  /** trees of the manifest's inputs */
  readonly #inputs: Record<string, Tree | null> = {};
  #spaceCheck: Promise<void> | undefined;
  #timeEstimate: Promise<void> | undefined;
  /** how many actions of each stage (by its path) are not cached; known after the check of the space */
  #toRun: ReadonlyMap<string, number> = new Map();
  #hasWarnedOfHost = false;

  constructor(
    readonly blueprint: Blueprint,
    readonly options: RunOptions,
    readonly directory: RunDirectory,
    readonly store: Store,
    memory: MemoryFiles | undefined,
    users: StoreUsers,
  ) {
    this.#signal = options.signal ?? new AbortController().signal;
    this.#digests = new InputDigests(options.storeDir);
    this.#host = hostFacts(options.code.onnxruntime, options.threads, options.device);
    this.#pruner = new Pruner(blueprint, store, users);
    this.#maker = new Maker({
      actions: {
        store,
        executor: options.executor,
        memory,
        writtenAtOnce: writtenAtOnce(blueprint),
        budget: new ThreadBudget(options.threads, options.executor.parallel),
        signal: this.#signal,
        device: options.device,
        host: (threads) => ({ ...this.#host, threads }),
        started: (ready) => this.#started(ready),
        progress: (node, progress) => this.#emit({ ...nodeName(node), type: "stage_progress", ...progress }),
      },
      pruner: this.#pruner,
      keyed: (node) => this.#keyed.get(node.id)!,
      remade: async (node, { record, ran }) => {
        await this.#announce(node, record, ran);
        await this.#pruner.finished(node, record);
      },
      damaged: ({ id }, port) => {
        const advice =
          "it is made again; --verify checks the whole store and drops what was made from damaged files";
        this.#warn(`output ${port} of ${id} is damaged in the store: ${advice}`);
      },
      isUnchanged: (path) => this.#digests.isUnchanged(path),
      failed: (node, error) => {
        const failure = { message: messageOf(error), exit_code: exitCodeOf(error) };
        this.#emit({ ...nodeName(node), type: "stage_failed", ...failure });
      },
    });
  }

  async execute(): Promise<RunResult> {
    const { runDir, threads, executor: { name: executor }, stages, code } = this.options;
    const { manifest, seed } = this.blueprint;
    const plan = planned(this.blueprint);
    this.#emit({ type: "run_started", manifest, run_dir: runDir, seed, threads, executor, ...plan });
    const codes = stageDigests(allStages(this.blueprint), stages, code);
    for (const [name, path] of Object.entries(this.blueprint.inputs)) {
      this.#inputs[name] = path === null ? null : this.#digests.tree(path);
    }
    this.directory.begin(this.blueprint, this.#inputs);
    this.#warn(executorWarning(this.blueprint, this.options.executor));
    try {
      const values = await this.#walkUntilStable(codes);
      this.#pruner.publishLatest();
      const source = { store: this.store, maker: this.#maker, pruner: this.#pruner, digests: this.#digests };
      const outputs = await copyOutputs(values, join(runDir, "outputs"), source);
      await this.#digests.save();
      return await this.#result(outputs);
    } catch (error) {
      throw await this.#ended(error);
    }
  }

  /** Walks again if an action that had to run again gave other bytes: everything on top of it then has other keys. */
  async #walkUntilStable(codes: ReadonlyMap<string, string>): Promise<OutputValues> {
    for (let i = 0;; i++) {
      const isFirst = i === 0;
      try {
        return await walk(this.blueprint, {
          code: (id) => codes.get(id)!,
          inputTree: (path) => this.#digests.tree(path),
          visit: (ready) => this.#visit(ready, isFirst),
          readMetric: (node, record, metric) => this.#readMetric(node, record, metric),
          loopSkipped: (block, reason) => this.#emit({ type: "loop_skipped", block, reason }),
          loopEnded: (block, iteration, reason) => {
            this.#pruner.publishLatest(block);
            this.#emit({ type: "loop_ended", block, iteration, reason });
          },
          skipped: (node) =>
            this.#emit({ ...nodeName(node), type: "stage_skipped", reason: skipReason(node) }),
          loopBest: (best) => {
            this.#best.set(best.block, best);
            this.#emit({ type: "loop_best", ...best });
          },
        });
      } catch (error) {
        if (!(error instanceof Diverged) || i === 3) throw error;
        this.#maker.forget();
      }
    }
  }

  async #visit(ready: KeyedNode, isFirstWalk: boolean): Promise<ActionRecord> {
    const { node, key, parts } = ready;
    const fresh = isFirstWalk && forcedReason(this.options, node.plan.path) !== undefined;
    this.#keyed.set(node.id, ready);
    this.directory.record(node.id, key, parts);
    const found = fresh ? undefined : this.store.get(key);
    if (found && !this.#hasWarnedOfHost) {
      const warning = hostWarning(found, this.#host);
      this.#warn(warning);
      this.#hasWarnedOfHost = warning !== undefined;
    }
    const { record, ran } = found ? { record: found, ran: false } : await this.#maker.make(ready, fresh);
    const isKnown = this.#finished.get(node.id)?.record.key === record.key;
    this.#finished.set(node.id, { node, record, cached: !ran });
    if (!isKnown) await this.#announce(node, record, ran);
    await this.#pruner.finished(node, record);
    return record;
  }

  async #readMetric(node: Node, record: ActionRecord, metric: LoopMetric): Promise<number> {
    try {
      await this.#maker.ensure({ from: "node", node, port: metric.port, record });
      const value = readLoopMetric(await this.store.view(record, metric.port), metric);
      if (node.iteration !== undefined) this.#pruner.noteMetric(metric, node.iteration, value);
      return value;
    } catch (error) {
      // Without the metric nothing can be decided: more iterations would be wasted.
      if (!(error instanceof Diverged)) this.#maker.fail(error);
      throw error;
    }
  }

  async #started({ node, key, parts }: KeyedNode): Promise<void> {
    this.#spaceCheck ??= this.#checkSpace();
    await this.#spaceCheck;
    // Before the first stage with much work: what it and later stages read has been tokenised.
    if (this.options.timeSteps && node.plan.stage.workload) {
      await (this.#timeEstimate ??= this.#estimateTime(this.options.timeSteps));
    }
    const forced = forcedReason(this.options, node.plan.path);
    const reason = forced ?? reasonToRun(parts, this.directory.before(node.id));
    this.#emit({ ...nodeName(node), type: "stage_started", key, reason });
  }

  async #checkSpace(): Promise<void> {
    const nodes = await dryRun(this.blueprint, {
      ...{ ...this.options, digests: this.#digests },
      most: LISTED_NODES,
    });
    const toRun = nodesToRun(this.blueprint, nodes);
    this.#toRun = toRun;
    const space = checkSpace(this.blueprint, this.#inputs, toRun, this.options.storeDir);
    this.#emit({ type: "estimated", ...space });
    const { memory_bytes: needed, memory_free_bytes: free } = space;
    if (needed <= free) return;
    const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
    this.#warn(`the run may need ${gib(needed)} GiB of memory, ${gib(free)} GiB are available`);
  }

  /** Announces the estimated time. A failure is one warning: the run does not need the estimate. */
  async #estimateTime(timeSteps: TimeSteps): Promise<void> {
    const begun = performance.now();
    try {
      const estimate = await estimateTime(this.blueprint, {
        timeSteps,
        toRun: this.#toRun,
        threads: this.options.threads,
        device: this.options.device,
        signal: this.#signal,
        outputOf: async ({ path }, port) => {
          const record = this.#finished.get(path)?.record;
          const tree = record?.outputs[port];
          return record && tree && this.store.holds(tree) ? await this.store.view(record, port) : undefined;
        },
      });
      if (estimate === undefined || this.#signal.aborted) return;
      const seconds = (performance.now() - begun) / 1000;
      // Not in the log of the run: nothing of an estimate is recorded.
      this.options.listener?.({ time: Date.now(), type: "time_estimated", ...estimate, seconds });
    } catch (error) {
      if (!this.#signal.aborted) this.#warn(`the run's time is not estimated: ${messageOf(error)}`);
    }
  }

  async #announce(node: Node, record: ActionRecord, ran: boolean): Promise<void> {
    if (!ran) {
      // The report reads these, also if no stage does.
      for (const port of reportedPorts(node, record)) {
        await this.#maker.ensure({ from: "node", node, port, record });
      }
    }
    for (const event of await doneEvents(node, record, { ran, store: this.store })) this.#emit(event);
  }

  async #result(outputs: Readonly<Record<string, string>>): Promise<RunResult> {
    const nodes: FinishedNode[] = [];
    for (const { node, record, cached } of this.#finished.values()) {
      nodes.push(await finishedNode(node, record, { cached, store: this.store }));
    }
    const cached = nodes.filter((node) => node.cached).length;
    const seconds = (performance.now() - this.#begun) / 1000;
    this.#emit({ type: "run_finished", seconds, ran: nodes.length - cached, cached });
    const { manifest, seed } = this.blueprint;
    const best = [...this.#best.values()];
    return { manifest, runDir: this.options.runDir, seed, seconds, nodes, best, outputs };
  }

  /** Keeps what a resumed run needs, and returns the error with which the run ends. */
  async #ended(error: unknown): Promise<unknown> {
    // If the digests cannot be saved, on a full disk for example, the original error is still the one to report.
    await this.#digests.save().catch(() => {});
    try {
      this.#pruner.publishLatest();
    } catch (cause) {
      this.#warn(`iterations in memory are lost and will be recomputed: ${messageOf(cause)}`);
    }
    if (!this.#signal.aborted) return diskError(this.options.storeDir, error);
    const count = `${this.#finished.size} of ${countNodes(this.blueprint)} stages are finished and stored`;
    const message = `Interrupted: ${count}. Run the same command to resume`;
    this.#emit({ type: "run_stopped", message });
    return new TryAgainError(message, { cause: error });
  }

  #emit(event: Untimed): void {
    const timed = { time: Date.now(), ...event } as RunEvent;
    this.directory.log(timed);
    this.options.listener?.(timed);
  }

  #warn(message: string | undefined): void {
    if (message !== undefined) this.options.warn?.(message);
  }
}

/** Limit of the nodes that the event `run_started` lists, and of those to run that the estimate looks at. */
const LISTED_NODES = 10_000;

/**
 * Returns how many nodes of each stage (by its path) are to run. If the dry run has ended at its limit, all that are not known
 * to be cached count.
 */
function nodesToRun(
  blueprint: Blueprint,
  nodes: readonly { readonly stage: string; readonly runs: boolean }[],
): ReadonlyMap<string, number> {
  const isPart = nodes.reduce((sum, { runs }) => sum + (runs ? 1 : 0), 0) >= LISTED_NODES;
  const toRun = new Map(allStages(blueprint).map((plan) => [plan.path, isPart ? plannedNodes(plan) : 0]));
  for (const { stage, runs } of nodes) {
    if (runs !== isPart) toRun.set(stage, toRun.get(stage)! + (runs ? 1 : -1));
  }
  return toRun;
}

/** Returns the nodes of the plan for the event `run_started`; of a very long plan the first ones, and the numbers of all. */
function planned(blueprint: Blueprint): Pick<RunEvent & { readonly type: "run_started" }, "nodes" | "more"> {
  const nodes = firstNodes(blueprint, LISTED_NODES).map(nodeName), count = countNodes(blueprint);
  if (count <= LISTED_NODES) return { nodes };
  const loops = blueprint.entries.filter(isLoop);
  return {
    nodes,
    more: { nodes: count, iterations: Object.fromEntries(loops.map((it) => [it.name, it.count])) },
  };
}

function skipReason({ plan: { when } }: Node): string {
  return when?.from === "stage" ? `${when.stage.path} did not write ${when.port}` : "its input is not given";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
