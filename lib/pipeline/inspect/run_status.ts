/**
 * The state of a run and of each of its stages, from its log.
 * @module
 */
import { largest } from "@/lib/compute/tensor/large_lists.ts";
import type { NodeName, RunEvent } from "@/lib/data/contracts/events.ts";
import { bytes, decimal, duration } from "@/lib/report/format.ts";
import { labelOf, RunTracker, stageSecondsLeft } from "@/lib/report/run_tracker.ts";
import type { RecordedRun } from "./recorded_run.ts";

/** State of a run: `killed` is one whose process is gone without a last event. */
type RunState = "running" | "finished" | "failed" | "interrupted" | "killed";

/** The copies or iterations of one stage of the manifest. */
export interface StageStatus {
  /** `ppo.update` */
  readonly stage: string;
  readonly uses: string;
  readonly state: "waiting" | "running" | "done" | "failed" | "interrupted" | "skipped";
  /** nodes of the plan, if no `until` ends a loop early; null: the plan is too long to list */
  readonly planned: number | null;
  readonly ran: number;
  readonly cached: number;
  /** wall seconds of the nodes that ran now */
  readonly seconds: number;
}

/** A stage that runs now. */
interface RunningStage {
  readonly stage: string;
  readonly iteration: number | null;
  readonly seconds: number;
  readonly step: number | null;
  readonly total: number | null;
  readonly seconds_left: number | null;
  readonly message: string | null;
}

/** The state of a run. */
export interface RunStatus {
  readonly run_dir: string;
  readonly manifest: string;
  readonly seed: number;
  readonly state: RunState;
  /** process of a running run */
  readonly process: number | null;
  /** ISO 8601 */
  readonly started: string;
  readonly seconds: number;
  /** why it failed or stopped */
  readonly message: string | null;
  readonly memory_bytes: number | null;
  readonly stages: readonly StageStatus[];
  readonly running: readonly RunningStage[];
}

type Started = RunEvent & { readonly type: "run_started" };

/** Returns the status of `run`. @param now milliseconds since the epoch */
export function runStatus({ runDir, events, process }: RecordedRun, now: number): RunStatus {
  const started = events[0] as Started;
  const tracker = new RunTracker();
  for (const event of events) tracker.accept(event);
  const state = stateOf(events, process), end = state === "running" ? now : events.at(-1)!.time;
  const isOver = state !== "running";
  return {
    run_dir: runDir,
    manifest: started.manifest,
    seed: started.seed,
    state,
    process: process ?? null,
    started: new Date(started.time).toISOString(),
    seconds: (end - started.time) / 1000,
    message: messageOf(events),
    memory_bytes: events.findLast((event) => event.type === "estimated")?.memory_bytes ?? null,
    stages: stagesOf(started, events, state),
    running: isOver ? [] : [...tracker.running.values()].map((stage) => ({
      stage: labelOf(stage.name),
      iteration: stage.name.iteration ?? null,
      seconds: (now - stage.since) / 1000,
      step: stage.step ?? null,
      total: stage.total ?? null,
      seconds_left: stageSecondsLeft(stage, now) ?? null,
      message: stage.message ?? null,
    })),
  };
}

/** Returns the status as text: the run, a line per stage, and a line per stage that runs now. */
export function statusText(status: RunStatus): string {
  const { run_dir, state, process, manifest, seed, seconds, message, memory_bytes } = status;
  const facts = [
    state === "running" ? `running in process ${process}` : state,
    duration(seconds),
    manifest,
    `seed ${seed}`,
    ...(memory_bytes === null ? [] : [`memory estimate ${bytes(memory_bytes)}`]),
  ];
  const rows = status.stages.map((stage) => [
    stage.stage,
    stage.state,
    `${decimal(stage.ran + stage.cached, 0)}${stage.planned === null ? "" : `/${decimal(stage.planned, 0)}`}`,
    stage.cached === 0 ? "" : `${decimal(stage.cached, 0)} cached`,
    stage.seconds === 0 ? "" : duration(stage.seconds),
  ]);
  const widths = rows[0]?.map((_, column) => largest(rows.map((row) => row[column]!.length), 0)) ?? [];
  const lines = rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ")}`.trimEnd());
  return [
    `${run_dir}: ${facts.join(", ")}`,
    ...lines,
    ...status.running.map(runningText),
    ...(message === null ? [] : [message]),
  ].map((line) => `${line}\n`).join("");
}

function runningText(
  { stage, iteration, seconds, step, total, seconds_left, message }: RunningStage,
): string {
  const name = iteration === null ? stage : `${stage}, iteration ${iteration + 1}`;
  const progress = step === null
    ? message === null ? [] : [message.split("\n")[0]!]
    : [`step ${decimal(step, 0)}${total === null ? "" : ` of ${decimal(total, 0)}`}`];
  const left = seconds_left === null ? [] : [`${duration(seconds_left)} left`];
  return `running ${name}: ${[duration(seconds), ...progress, ...left].join(", ")}`;
}

function stateOf(events: readonly RunEvent[], process: number | undefined): RunState {
  const last = events.findLast(({ type }) => ["run_finished", "run_stopped", "stage_failed"].includes(type));
  if (last?.type === "run_finished") return "finished";
  if (process !== undefined) return "running";
  if (last?.type === "run_stopped") return "interrupted";
  return last?.type === "stage_failed" ? "failed" : "killed";
}

function messageOf(events: readonly RunEvent[]): string | null {
  const last = events.findLast(({ type }) => type === "run_stopped" || type === "stage_failed");
  if (last?.type === "stage_failed") return `${labelOf(last)} failed: ${last.message}`;
  return last?.type === "run_stopped" ? last.message : null;
}

function stagesOf({ nodes, more }: Started, events: readonly RunEvent[], state: RunState): StageStatus[] {
  const planned = Map.groupBy(nodes, ({ stage }) => stage);
  const known = events.filter((event): event is RunEvent & NodeName => "uses" in event);
  const ends = new Set(events.flatMap((event) => event.type === "loop_ended" ? [event.block] : []));
  return [...planned].map(([stage, [node, ...others]]) => {
    const own = known.filter((event) => event.stage === stage);
    const count = (type: RunEvent["type"]) =>
      new Set(own.filter((event) => event.type === type).map(nodeNumber)).size;
    const ran = count("stage_finished"), cached = count("stage_cached"), begun = count("stage_started");
    const isWhole = more === undefined, total = others.length + 1;
    const isComplete = ends.has(stage.split(".")[0]!) || (isWhole && ran + cached >= total);
    return {
      stage,
      uses: node!.uses,
      state: stageState({ failed: count("stage_failed"), begun, ran, done: ran + cached, isComplete }, state),
      planned: isWhole ? total : null,
      ran,
      cached,
      seconds: own.reduce((sum, event) => sum + (event.type === "stage_finished" ? event.seconds : 0), 0),
    };
  });
}

function stageState(
  counts: {
    readonly failed: number;
    readonly begun: number;
    readonly ran: number;
    readonly done: number;
    readonly isComplete: boolean;
  },
  run: RunState,
): StageStatus["state"] {
  if (counts.failed > 0) return "failed";
  if (counts.isComplete && counts.done > 0) return "done";
  if (counts.begun > counts.ran) return run === "running" ? "running" : "interrupted";
  return run === "finished" ? "skipped" : "waiting";
}

function nodeNumber({ index, iteration }: NodeName): number {
  return index ?? iteration ?? 0;
}
