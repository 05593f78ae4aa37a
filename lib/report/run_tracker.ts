/**
 * Follows the events of a run: which stages run, how far each is, what a round of a loop brought. Gives back the
 * moments worth a line; how they look is the displays' concern. Time comes from the events, never from a clock.
 * @module
 */
import type { NodeName, RunEvent } from "@/lib/contracts/events.ts";

/** A stage at work. */
export interface Running {
  readonly name: NodeName;
  readonly since: number;
  step?: number;
  total?: number;
  message?: string;
  fields: Readonly<Record<string, number>>;
  /** first progress that named a step: rates count from here, so that loading and compiling do not dilute them */
  firstStep?: { readonly step: number; readonly time: number };
}

/** One round of an `iterate` block. */
export interface Round {
  readonly block: string;
  readonly iteration: number;
  /** stages that the plan has for this round */
  readonly expected: number;
  done: number;
  cached: number;
  /** wall seconds of its stages that ran now */
  seconds: number;
  tokensPerSecond?: number;
  /** the last value of every metric of its stages */
  values: Readonly<Record<string, number>>;
}

/** An `iterate` block and its rounds so far. */
export interface Loop {
  readonly block: string;
  /** rounds if no `until` ends it early */
  readonly total: number;
  readonly rounds: Round[];
}

/** A moment worth a line. */
export type Milestone =
  | { readonly kind: "event"; readonly event: RunEvent }
  | { readonly kind: "cached"; readonly nodes: readonly NodeName[] }
  /** what a stage that came from the store warned of when it ran */
  | { readonly kind: "earlier_warning"; readonly node: NodeName; readonly warning: string }
  | { readonly kind: "round"; readonly loop: Loop; readonly round: Round; readonly secondsLeft?: number };

/** What a tracker knows, and how it learns. */
export interface RunTracker {
  /** by label, in the order in which they started */
  readonly running: ReadonlyMap<string, Running>;
  readonly loops: ReadonlyMap<string, Loop>;
  /** takes the next event, returns what is to be told because of it */
  accept(event: RunEvent): Milestone[];
  /** what was held back in order to be told together */
  flush(): Milestone[];
}

/** `members.sft[2]`; the round, when there is one, is told by the loop. */
export function labelOf(name: NodeName): string {
  return name.index === undefined ? name.stage : `${name.stage}[${name.index}]`;
}

/** The block that a stage of a loop belongs to: its path without the last name. */
export function blockOf(name: NodeName): string {
  const dot = name.stage.lastIndexOf(".");
  return dot < 0 ? name.stage : name.stage.slice(0, dot);
}

/** Seconds until a stage is done at its present rate, or undefined when it cannot be known. */
export function stageSecondsLeft(running: Running, now: number): number | undefined {
  const { step, total, firstStep } = running;
  if (
    step === undefined || total === undefined || firstStep === undefined || step <= firstStep.step ||
    step >= total
  ) {
    return undefined;
  }
  return ((now - firstStep.time) / 1000) * ((total - step) / (step - firstStep.step));
}

/** Seconds until a loop is done if its other rounds take what those of this run took, or undefined. */
export function loopSecondsLeft(loop: Loop): number | undefined {
  const complete = loop.rounds.filter((r) => r.done >= r.expected);
  const ran = complete.filter((r) => r.cached < r.done);
  const left = loop.total - complete.length;
  if (ran.length === 0 || left <= 0) return undefined;
  return (ran.reduce((sum, r) => sum + r.seconds, 0) / ran.length) * left;
}

/** Whether all rounds that the plan has for `loop` are done and have told their metrics. */
export function loopIsOver(loop: Loop): boolean {
  const complete = loop.rounds.filter((r) => r.done >= r.expected && Object.keys(r.values).length > 0);
  return loop.total > 0 && complete.length === loop.total;
}

/** A tracker that has seen nothing yet. */
export function createRunTracker(): RunTracker {
  const running = new Map<string, Running>();
  const loops = new Map<string, Loop>();
  const planned = new Map<string, Map<number, number>>(); // block → round → stages
  const waiting = new Set<Round>(); // not told yet
  let fold: (RunEvent & { readonly type: "stage_cached" })[] = [];

  function plan(nodes: readonly NodeName[]): void {
    for (const node of nodes) {
      if (node.iteration === undefined) continue;
      const rounds = planned.get(blockOf(node)) ?? new Map<number, number>();
      rounds.set(node.iteration, (rounds.get(node.iteration) ?? 0) + 1);
      planned.set(blockOf(node), rounds);
    }
  }

  function roundOf(name: NodeName): Round | undefined {
    if (name.iteration === undefined) return undefined;
    const block = blockOf(name);
    const rounds = planned.get(block);
    const loop = loops.get(block) ?? { block, total: rounds?.size ?? 0, rounds: [] };
    loops.set(block, loop);
    let round = loop.rounds.find((r) => r.iteration === name.iteration);
    if (round === undefined) {
      const expected = rounds?.get(name.iteration) ?? Infinity;
      round = { block, iteration: name.iteration, expected, done: 0, cached: 0, seconds: 0, values: {} };
      loop.rounds.push(round);
      waiting.add(round);
    }
    return round;
  }

  function update(event: RunEvent): void {
    if (event.type === "run_started") plan(event.nodes);
    if (!("uses" in event)) return;
    const label = labelOf(event);
    const round = roundOf(event);
    switch (event.type) {
      case "stage_started":
        running.set(label, { name: event, since: event.time, fields: {} });
        break;
      case "stage_progress": {
        const stage = running.get(label) ?? { name: event, since: event.time, fields: {} };
        running.set(label, stage);
        if (event.step !== undefined) {
          stage.step = event.step;
          stage.firstStep ??= { step: event.step, time: event.time };
        }
        if (event.total !== undefined) stage.total = event.total;
        if (event.message !== undefined) stage.message = event.message;
        stage.fields = { ...stage.fields, ...event.fields };
        const rate = event.fields?.["tokens_per_second"];
        // A round's speed is that of its rollout: what a reader compares between machines.
        if (round !== undefined && event.uses === "rollout" && rate !== undefined) {
          round.tokensPerSecond = rate;
        }
        break;
      }
      case "stage_cached":
      case "stage_finished":
        running.delete(label);
        if (round === undefined) break;
        round.done++;
        if (event.type === "stage_cached") round.cached++;
        else round.seconds += event.seconds;
        break;
      case "metrics":
        if (round !== undefined) round.values = { ...round.values, ...event.values };
        break;
      case "stage_failed":
        running.delete(label);
        break;
    }
  }

  /** Rounds whose stages are all done and whose metrics have come, or cannot come any more. */
  function finishedRounds(event: RunEvent | undefined): Milestone[] {
    const told: Milestone[] = [];
    for (const round of waiting) {
      if (round.done < round.expected) continue;
      const same = event !== undefined && "uses" in event && event.iteration === round.iteration &&
        blockOf(event) === round.block;
      if (same && Object.keys(round.values).length === 0) continue;
      waiting.delete(round);
      if (round.cached === round.done) continue; // told with everything else that came from the store
      const loop = loops.get(round.block)!;
      const secondsLeft = loopSecondsLeft(loop);
      told.push({ kind: "round", loop, round, ...(secondsLeft === undefined ? {} : { secondsLeft }) });
    }
    return told;
  }

  function unfold(): Milestone[] {
    if (fold.length === 0) return [];
    const nodes = fold;
    fold = [];
    const warnings = nodes.flatMap((node) =>
      (node.warnings ?? []).map((warning): Milestone => ({ kind: "earlier_warning", node, warning }))
    );
    return [{ kind: "cached", nodes }, ...warnings];
  }

  return {
    running,
    loops,
    accept(event) {
      update(event);
      const rounds = finishedRounds(event);
      if (event.type === "stage_cached") fold.push(event);
      // What came from the store was told before, by the run that made it.
      const last = fold.at(-1);
      if (event.type === "evals" && last?.stage === event.stage && last.iteration === event.iteration) {
        return rounds;
      }
      const isQuiet = event.type === "stage_progress" && event.warning === undefined;
      if (event.type === "stage_cached" || event.type === "metrics" || isQuiet) return rounds;
      return [...unfold(), ...rounds, { kind: "event", event }];
    },
    flush() {
      return [...unfold(), ...finishedRounds(undefined)];
    },
  };
}
