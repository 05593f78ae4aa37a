/** The part of the screen that moves: a line per stage at work, and the curves of the loop that runs. @module */
import type { Paint } from "./ansi.ts";
import { counted, decimal, duration } from "./format.ts";
import { metricInfo, metricText } from "./metric_catalogue.ts";
import {
  blockOf,
  labelOf,
  type Loop,
  loopSecondsLeft,
  type Running,
  type RunTracker,
  stageSecondsLeft,
} from "./run_tracker.ts";
import { progressBar, sparkline } from "./sparkline.ts";

const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const SHOWN = ["loss", "reward", "kl_to_sft"];
const BAR = 20;
/** A block that is higher than the screen could not be erased. */
const MOST_STAGES = 8;

/** When and for how wide a screen the block is drawn. */
export interface LiveOptions {
  /** milliseconds since the epoch */
  readonly now: number;
  readonly columns: number;
  readonly paint: Paint;
  /** loops whose curves already stand above the block */
  readonly plotted: ReadonlySet<Loop>;
}

function figures(stage: Running): string[] {
  const shown = SHOWN.filter((name) => stage.fields[name] !== undefined);
  const parts = shown.map((name) => `${metricInfo(name).short} ${metricText(name, stage.fields[name])}`);
  const rate = stage.fields["tokens_per_second"];
  return rate === undefined ? parts : [...parts, `${decimal(rate, 0)} tokens/s`];
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
  parts.push(...figures(stage));
  const left = loop === undefined ? stageSecondsLeft(stage, now) : loopSecondsLeft(loop);
  if (left !== undefined) parts.push(paint.dim(`${duration(left)} left`));
  const message = stage.message?.split("\n")[0]; // one line, or the block could not be erased
  if (message !== undefined && stage.step === undefined) parts.push(paint.dim(message));
  return `${paint.cyan(spinner)} ${name.padEnd(16)} ${parts.join("  ")}`;
}

/** Reward and KL of a loop's rounds so far, each a curve between its first and its last value; none before round 2. */
export function loopCurves(
  loop: Loop,
  options: { readonly columns: number; readonly paint: Paint },
): string[] {
  const rounds = loop.rounds.filter((r) => r.done >= r.expected);
  const width = Math.max(10, options.columns - 34);
  const lines: string[] = [];
  for (const [metric, look] of [["reward", "green"], ["kl_to_sft", "magenta"]] as const) {
    const values = rounds.map((r) => r.values[metric] ?? NaN);
    const finite = values.filter(Number.isFinite);
    if (finite.length < 2) continue;
    const curve = sparkline(values, { width, total: loop.total }).replace(/[▁-█]+/g, options.paint[look]);
    const ends = `${metricText(metric, finite[0])} → ${metricText(metric, finite.at(-1))}`;
    lines.push(`  ${metricInfo(metric).short.padEnd(6)} ${curve}  ${ends}`);
  }
  return lines;
}

/** The lines of the moving block for what `tracker` knows; none when nothing runs. */
export function liveBlock(tracker: RunTracker, options: LiveOptions): string[] {
  const stages = [...tracker.running.values()];
  const lines = stages.slice(0, MOST_STAGES).map((stage) => stageLine(stage, tracker.loops, options));
  const more = stages.length - lines.length;
  if (more > 0) lines.push(options.paint.dim(`  and ${counted(more, "stage")} more`));
  for (const loop of tracker.loops.values()) {
    if (!options.plotted.has(loop) && loop.rounds.some((r) => r.cached < r.done)) {
      lines.push(...loopCurves(loop, options));
    }
  }
  return lines;
}
