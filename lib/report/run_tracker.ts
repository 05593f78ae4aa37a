/**
 * Follows the events of a run: which stages run, how far each is, and the metrics of a loop's iterations. Returns the
 * moments that deserve a line; the displays decide how they look. Time comes from the events, never from a clock.
 * @module
 */
import { TimeLeft } from "./time_left.ts";
import { smallest } from "@/lib/compute/tensor/large_lists.ts";
import type { NodeName, RunEvent } from "@/lib/data/contracts/events.ts";

/** A running stage. */
export interface Running {
  readonly name: NodeName;
  readonly since: number;
  step?: number;
  total?: number;
  message?: string;
  fields: Readonly<Record<string, number>>;
  /** first progress with a step: rates count from here, so that loading and compiling do not dilute them */
  firstStep?: { readonly step: number; readonly time: number };
}

/** One iteration of an `iterate` block. */
export interface Iteration {
  readonly block: string;
  readonly iteration: number;
  /** stages that the plan has for this iteration */
  readonly expected: number;
  done: number;
  cached: number;
  /** wall seconds of its stages that ran now */
  seconds: number;
  tokensPerSecond?: number;
  /** the last value of every metric of its stages */
  values: Readonly<Record<string, number>>;
}

/** An `iterate` block and its iterations so far. */
export interface Loop {
  readonly block: string;
  /** iterations if no `until` ends it early */
  readonly total: number;
  readonly iterations: Iteration[];
}

/** What a training reported about its learning rate and its validation losses. */
export interface TrainingResult {
  readonly name: NodeName;
  /** trials of learning rates in order; a loss is undefined where the trial diverged */
  readonly trials: readonly { readonly lr: number; readonly loss: number | undefined }[];
  /** validation losses during training, in order */
  readonly losses: readonly number[];
  /** the last value of every metric; empty until it has finished */
  readonly values: Readonly<Record<string, number>>;
}

/** A moment that deserves a line. */
export type Milestone =
  | { readonly kind: "event"; readonly event: RunEvent }
  | { readonly kind: "cached"; readonly nodes: readonly NodeName[] }
  /** a warning of a cached stage, from when it ran */
  | { readonly kind: "earlier_warning"; readonly node: NodeName; readonly warning: string }
  | { readonly kind: "training"; readonly training: TrainingResult }
  | { readonly kind: "iteration"; readonly loop: Loop; readonly iteration: Iteration };

/** Returns `members.sft[2]`, the path with the number of the copy. */
export function labelOf(
  { stage, index }: { readonly stage: string; readonly index?: number | null },
): string {
  return index === undefined || index === null ? stage : `${stage}[${index}]`;
}

/** Returns the block of a stage of a loop: its path without the last name. */
export function blockOf({ stage }: { readonly stage: string }): string {
  const dot = stage.lastIndexOf(".");
  return dot < 0 ? stage : stage.slice(0, dot);
}

/** Returns true for an evaluation of the final models, not one inside a loop. */
export function isComparison({ role, iteration }: NodeName): boolean {
  return role === "evaluate" && iteration === undefined;
}

/** Returns the seconds until a stage is done at its present rate, or undefined when that is not known. */
export function stageSecondsLeft(running: Running, now: number): number | undefined {
  const { step = 0, total = 0, firstStep } = running;
  if (firstStep === undefined || step <= firstStep.step || step >= total) return undefined;
  return ((now - firstStep.time) / 1000) * ((total - step) / (step - firstStep.step));
}

/** Returns the iterations of `loop` of which all stages are done. */
export function completeIterations(loop: Loop): Iteration[] {
  return loop.iterations.filter(({ done, expected }) => done >= expected);
}

/** Returns the seconds until a loop is done, from the mean of the iterations that ran now, or undefined. */
export function loopSecondsLeft(loop: Loop): number | undefined {
  const complete = completeIterations(loop);
  const ran = complete.filter((r) => r.cached < r.done);
  const left = loop.total - complete.length;
  if (ran.length === 0 || left <= 0) return undefined;
  return (ran.reduce((sum, r) => sum + r.seconds, 0) / ran.length) * left;
}

/** Returns whether all planned iterations of `loop` are done and have reported their metrics. */
export function loopIsOver(loop: Loop): boolean {
  const complete = completeIterations(loop).filter(({ values }) => Object.keys(values).length > 0);
  return loop.total > 0 && complete.length === loop.total;
}

/** The state of a run, updated event by event. */
export class RunTracker {
  /** by label, in the order in which they started */
  readonly running = new Map<string, Running>();
  readonly loops = new Map<string, Loop>();
  /** by block and number: a loop may have a million */
  readonly #known = new Map<string, Iteration>();
  /** what is left of the run, once it was estimated */
  readonly timeLeft = new TimeLeft();
  /** numbers of stages by iteration, by block */
  readonly #planned = new Map<string, number[]>();
  /** iterations of the loops of a plan that is too long to list */
  #iterations: Readonly<Record<string, number>> = {};
  /** iterations without a milestone so far */
  readonly #waiting = new Set<Iteration>();
  /** trainings with trials or validation losses, by label */
  readonly #trainings = new Map<string, TrainingResult>();
  #cached: (RunEvent & { readonly type: "stage_cached" })[] = [];

  /** Takes the next event and returns the milestones that follow from it. */
  accept(event: RunEvent): Milestone[] {
    this.timeLeft.accept(event);
    this.#update(event);
    const iterations = this.#finishedIterations(event);
    if (event.type === "stage_cached") this.#cached.push(event);
    // The evaluation of a cached stage was shown by the run that made it.
    const last = this.#cached.at(-1);
    const isCachedEvaluation = event.type === "evals" && last?.stage === event.stage &&
      last.iteration === event.iteration;
    const isQuiet = event.type === "stage_progress" && event.warning === undefined;
    if (event.type === "stage_cached" || event.type === "metrics" || isQuiet || isCachedEvaluation) {
      return [...iterations, ...this.#finishedTraining(event)];
    }
    return [...this.#cachedStages(), ...iterations, { kind: "event", event }];
  }

  /** Returns the milestones that were delayed in order to be shown together. */
  flush(): Milestone[] {
    return [...this.#cachedStages(), ...this.#finishedIterations(undefined)];
  }

  #update(event: RunEvent): void {
    if (event.type === "run_started") {
      this.#plan(event.nodes);
      this.#iterations = event.more?.iterations ?? {};
    }
    if (!("uses" in event)) return;
    const label = labelOf(event);
    const iteration = this.#iterationOf(event);
    switch (event.type) {
      case "stage_started":
        this.running.set(label, { name: event, since: event.time, fields: {} });
        break;
      case "stage_progress":
        this.#progress(event, iteration);
        break;
      case "stage_cached":
      case "stage_finished":
        this.running.delete(label);
        if (iteration === undefined) break;
        iteration.done++;
        if (event.type === "stage_cached") iteration.cached++;
        else iteration.seconds += event.seconds;
        break;
      case "metrics":
        if (iteration !== undefined) iteration.values = { ...iteration.values, ...event.values };
        break;
      case "stage_failed":
        this.running.delete(label);
        break;
    }
  }

  #plan(nodes: readonly NodeName[]): void {
    for (const node of nodes) {
      if (node.iteration === undefined) continue;
      const counts = this.#planned.get(blockOf(node)) ?? [];
      counts[node.iteration] = (counts[node.iteration] ?? 0) + 1;
      this.#planned.set(blockOf(node), counts);
    }
  }

  #iterationOf(name: NodeName): Iteration | undefined {
    if (name.iteration === undefined) return undefined;
    const block = blockOf(name);
    const counts = this.#planned.get(block) ?? [];
    const loop = this.loops.get(block) ??
      { block, total: this.#iterations[block] ?? counts.length, iterations: [] };
    this.loops.set(block, loop);
    const { iteration } = name, known = this.#known.get(`${block}[${iteration}]`);
    if (known !== undefined) return known;
    // Of a plan that is too long to list, later iterations have at least the stages that every iteration has.
    const expected = counts[iteration] ?? smallest(this.#iterations[block] === undefined ? [] : counts);
    const added: Iteration = { block, iteration, expected, done: 0, cached: 0, seconds: 0, values: {} };
    loop.iterations.push(added);
    this.#known.set(`${block}[${iteration}]`, added);
    this.#waiting.add(added);
    return added;
  }

  #progress(event: RunEvent & { readonly type: "stage_progress" }, iteration: Iteration | undefined): void {
    const label = labelOf(event);
    const stage = this.running.get(label) ?? { name: event, since: event.time, fields: {} };
    this.running.set(label, stage);
    if (event.step !== undefined) {
      // A stage that counts from 1 again has begun another task.
      if (event.step < (stage.step ?? 0)) delete stage.firstStep;
      stage.step = event.step;
      stage.firstStep ??= { step: event.step, time: event.time };
    }
    this.#training(event);
    if (event.total !== undefined) stage.total = event.total;
    if (event.message !== undefined) stage.message = event.message;
    stage.fields = { ...stage.fields, ...event.fields };
    const rate = event.fields?.["tokens_per_second"];
    // An iteration's speed is that of sampling: the number that people compare between machines.
    if (iteration !== undefined && event.role === "sample" && rate !== undefined) {
      iteration.tokensPerSecond = rate;
    }
  }

  #training({ fields = {}, ...name }: RunEvent & { readonly type: "stage_progress" }): void {
    const { trial_lr: lr, trial_loss: loss, validation_loss: validation } = fields;
    if (lr === undefined && validation === undefined) return;
    const label = labelOf(name), before = this.#trainings.get(label);
    this.#trainings.set(label, {
      name,
      trials: [...before?.trials ?? [], ...(lr === undefined ? [] : [{ lr, loss }])],
      losses: [...before?.losses ?? [], ...(validation === undefined ? [] : [validation])],
      values: {},
    });
  }

  /** Returns the training whose metrics `event` has, if it reported trials or validation losses in this run. */
  #finishedTraining(event: RunEvent): Milestone[] {
    if (event.type !== "metrics") return [];
    const label = labelOf(event), training = this.#trainings.get(label);
    if (training === undefined) return [];
    this.#trainings.delete(label);
    return [{ kind: "training", training: { ...training, values: event.values } }];
  }

  /** Returns the iterations whose stages are all done and whose metrics are known, or cannot come any more. */
  #finishedIterations(event: RunEvent | undefined): Milestone[] {
    const finished: Milestone[] = [];
    for (const iteration of this.#waiting) {
      if (iteration.done < iteration.expected) continue;
      const same = event !== undefined && "uses" in event && event.iteration === iteration.iteration &&
        blockOf(event) === iteration.block;
      if (same && Object.keys(iteration.values).length === 0) continue;
      this.#waiting.delete(iteration);
      if (iteration.cached === iteration.done) continue; // listed with the other cached stages
      finished.push({ kind: "iteration", loop: this.loops.get(iteration.block)!, iteration });
    }
    return finished;
  }

  #cachedStages(): Milestone[] {
    if (this.#cached.length === 0) return [];
    const nodes = this.#cached;
    this.#cached = [];
    const warnings = nodes.flatMap((node) =>
      (node.warnings ?? []).map((warning): Milestone => ({ kind: "earlier_warning", node, warning }))
    );
    return [{ kind: "cached", nodes }, ...warnings];
  }
}
