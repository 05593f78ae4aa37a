/** The moving part of the terminal: a line per running stage, and the curves of the running loop. @module */
import type { Paint } from "./ansi.ts";
import { counted, decimal, duration } from "./format.ts";
import { metricText, trainingLabel } from "./metric_catalogue.ts";
import { runningValues } from "./milestone_text.ts";
import {
  blockOf,
  completeIterations,
  labelOf,
  type Loop,
  loopSecondsLeft,
  type Running,
  type RunTracker,
  stageSecondsLeft,
} from "./run_tracker.ts";
import { progressBar, sparkline } from "./sparkline.ts";
import { rangeText } from "./time_left.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const BAR = 20;
/** A block that is higher than the terminal could not be erased. */
const MOST_STAGES = 8;

/** When and for which width the block is drawn. */
export interface LiveOptions {
  /** milliseconds since the epoch */
  readonly now: number;
  readonly columns: number;
  readonly paint: Paint;
  /** loops whose curves are already above the block */
  readonly plotted: ReadonlySet<Loop>;
}

function stageLine(stage: Running, loops: ReadonlyMap<string, Loop>, options: LiveOptions): string {
  const { now, paint } = options;
  const spinner = SPINNER[Math.floor(now / 100) % SPINNER.length]!;
  const { iteration } = stage.name;
  const loop = iteration === undefined ? undefined : loops.get(blockOf(stage.name));
  const name = loop === undefined
    ? labelOf(stage.name)
    : `${labelOf(stage.name)} ${iteration! + 1}/${loop.total || "?"}`;
  const parts: string[] = [];
  if (stage.step !== undefined && stage.total !== undefined && stage.total > 0) {
    const bar = progressBar(stage.step / stage.total, BAR).replace(/^━*/, (full) => paint.cyan(full));
    parts.push(`${bar} ${decimal(stage.step, 0)}/${decimal(stage.total, 0)}`);
  } else if (stage.step !== undefined) {
    parts.push(decimal(stage.step, 0));
  } else {
    parts.push(paint.dim(duration(Math.max(0, now - stage.since) / 1000)));
  }
  append(parts, runningValues(stage));
  const left = loop === undefined ? stageSecondsLeft(stage, now) : loopSecondsLeft(loop);
  if (left !== undefined) parts.push(paint.dim(`${duration(left)} left`));
  const message = stage.message?.split("\n")[0]; // one line, or the block could not be erased
  if (message !== undefined && stage.step === undefined) parts.push(paint.dim(message));
  return `${paint.cyan(spinner)} ${name.padEnd(16)} ${parts.join("  ")}`;
}

/** Returns curves of reward and KL over a loop's iterations, with first and last value; none before iteration 2. */
export function loopCurves(
  loop: Loop,
  options: { readonly columns: number; readonly paint: Paint },
): string[] {
  const iterations = completeIterations(loop);
  const width = Math.max(10, options.columns - 37);
  const lines: string[] = [];
  for (const [metric, look] of [["reward", "green"], ["kl_to_sft", "magenta"]] as const) {
    const values = iterations.map((r) => r.values[metric] ?? NaN);
    const finite = values.filter(Number.isFinite);
    if (finite.length < 2) continue;
    const curve = sparkline(values, { width, total: loop.total }).replace(/[▁-█]+/g, options.paint[look]);
    const ends = `${metricText(metric, finite[0])} → ${metricText(metric, finite.at(-1))}`;
    lines.push(`  ${trainingLabel(metric).padEnd(9)} ${curve}  ${ends}`);
  }
  return lines;
}

/** Returns the lines of the moving block; none when nothing runs. */
export function liveBlock(tracker: RunTracker, options: LiveOptions): string[] {
  const stages = [...tracker.running.values()];
  const lines = stages.slice(0, MOST_STAGES).map((stage) => stageLine(stage, tracker.loops, options));
  const more = stages.length - lines.length;
  if (more > 0) lines.push(options.paint.dim(`  and ${counted(more, "more stage")}`));
  for (const loop of tracker.loops.values()) {
    if (!options.plotted.has(loop) && loop.iterations.some((r) => r.cached < r.done)) {
      append(lines, loopCurves(loop, options));
    }
  }
  const left = lines.length === 0 ? undefined : tracker.timeLeft.at(options.now);
  if (left !== undefined) lines.push(options.paint.dim(`  whole run: ${rangeText(left)} left`));
  return lines;
}
