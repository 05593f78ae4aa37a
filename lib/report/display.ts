/**
 * Shows a run while it works. Three ways: JSON lines for programs, plain lines for logs, and on a terminal a block
 * that moves under the lines already finished.
 * @module
 */
import type { RunEvent } from "@/lib/contracts/events.ts";
import { eraseLines, paint, withoutWrapping } from "./ansi.ts";
import { decimal, duration } from "./format.ts";
import { liveBlock, loopCurves } from "./live_block.ts";
import { metricInfo, metricText } from "./metric_catalogue.ts";
import { milestoneLine, roundHead, roundRow, roundSentence } from "./milestone_text.ts";
import {
  createRunTracker,
  labelOf,
  type Loop,
  loopIsOver,
  type Milestone,
  stageSecondsLeft,
} from "./run_tracker.ts";

/** Takes the events of one run, in order. */
export interface Display {
  event(event: RunEvent): void;
  /** writes what was held back and leaves the terminal as it was; call it however the run ended */
  end(): void;
}

/** How a run is shown. */
export interface DisplayOptions {
  /** one JSON object a line, nothing else */
  readonly json: boolean;
  /** the output is a terminal: colours and a moving block */
  readonly terminal: boolean;
  /** default: standard output */
  readonly write?: (text: string) => void;
  /** width of the terminal; default: asked for, 80 where that fails */
  readonly columns?: number;
}

/** Milliseconds between two lines of progress where there is no terminal. */
const LOG_INTERVAL = 5000;
/** Milliseconds between two drawings of the moving block. */
const FRAME = 100;

function writeAll(text: string): void {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80; // no console to ask
  }
}

function jsonDisplay(write: (text: string) => void): Display {
  return { event: (event) => write(`${JSON.stringify(event)}\n`), end() {} };
}

function logDisplay(write: (text: string) => void): Display {
  const tracker = createRunTracker();
  const bare = paint(false);
  let last = -Infinity;
  const tell = (milestones: readonly Milestone[]) => {
    for (const m of milestones) {
      if (m.kind === "event" && m.event.type === "stage_started" && m.event.iteration === undefined) {
        write(`${labelOf(m.event)}: started${m.event.reason === "" ? "" : ` (${m.event.reason})`}\n`);
        continue;
      }
      const line = m.kind === "round"
        ? roundSentence(m.loop, m.round, m.secondsLeft)
        : milestoneLine(m, bare);
      if (line !== undefined) write(`${line}\n`);
    }
  };
  const progress = (event: RunEvent & { type: "stage_progress" }) => {
    const stage = tracker.running.get(labelOf(event));
    if (stage?.step === undefined || event.time - last < LOG_INTERVAL) return;
    last = event.time;
    const round = event.iteration === undefined ? "" : ` round ${event.iteration + 1}`;
    const parts = [
      `step ${decimal(stage.step, 0)}${stage.total === undefined ? "" : `/${decimal(stage.total, 0)}`}`,
    ];
    for (const name of ["loss", "reward", "kl_to_sft"]) {
      if (stage.fields[name] !== undefined) {
        parts.push(`${metricInfo(name).short} ${metricText(name, stage.fields[name])}`);
      }
    }
    const rate = stage.fields["tokens_per_second"];
    if (rate !== undefined) parts.push(`${decimal(rate, 0)} tokens/s`);
    const left = stageSecondsLeft(stage, event.time);
    if (left !== undefined) parts.push(`${duration(left)} left`);
    write(`${labelOf(event)}${round}: ${parts.join(", ")}\n`);
  };
  return {
    event(event) {
      // A stage that has just started is not slow yet: the first interval counts from there.
      if (last === -Infinity || event.type === "stage_started") last = Math.max(last, event.time);
      tell(tracker.accept(event));
      if (event.type === "stage_progress") progress(event);
    },
    end: () => tell(tracker.flush()),
  };
}

function endsLoop(event: RunEvent, loop: Loop): boolean {
  return event.type === "run_finished" || (event.type === "loop_ended" && event.block === loop.block);
}

function liveDisplay(write: (text: string) => void, columns: () => number): Display {
  const tracker = createRunTracker();
  const colours = paint(!Deno.noColor);
  const headed = new Set<string>();
  const plotted = new Set<Loop>();
  let drawn: string[] = [];
  let drawnAt = -Infinity;
  let clock = 0; // the events' clock, so that a stage's seconds fit its events
  let offset = 0;

  const lines = (milestones: readonly Milestone[]) =>
    milestones.flatMap((m) => {
      if (m.kind !== "round") return milestoneLine(m, colours) ?? [];
      const head = headed.has(m.loop.block) ? [] : [roundHead(m.loop, colours)];
      headed.add(m.loop.block);
      return [...head, roundRow(m.loop, m.round, m.secondsLeft, colours)];
    });
  // The curves of a loop stay on the screen when it is over, also when all of it came from the store.
  const curves = (milestones: readonly Milestone[]) => {
    const kept: string[] = [];
    for (const loop of tracker.loops.values()) {
      const over = loopIsOver(loop) || milestones.some((m) => m.kind === "event" && endsLoop(m.event, loop));
      if (milestones.length === 0 || !over || plotted.has(loop)) continue;
      plotted.add(loop);
      kept.push(...loopCurves(loop, { columns: columns(), paint: colours }));
    }
    return kept;
  };
  const draw = (finished: readonly string[], now: number) => {
    const block = liveBlock(tracker, { now, columns: columns(), paint: colours, plotted });
    const moved = finished.map((line) => `${line}\n`).join("");
    const live = block.map((line) => `${line}\n`).join("");
    write(eraseLines(drawn.length) + moved + (live === "" ? "" : withoutWrapping(live)));
    drawn = block;
    drawnAt = now;
  };
  // Between events (a long native call, a big file) the spinner and the seconds still move.
  const timer = setInterval(() => {
    if (tracker.running.size > 0) draw([], Date.now() - offset);
  }, 250);
  Deno.unrefTimer(timer);

  return {
    event(event) {
      clock = event.time;
      offset = Date.now() - clock;
      const milestones = tracker.accept(event);
      const last = event.type === "run_finished" ? milestones.length - 1 : milestones.length;
      const finished = [
        ...lines(milestones.slice(0, last)),
        ...curves(milestones),
        ...lines(milestones.slice(last)),
      ];
      const changed = finished.length > 0 || event.type === "stage_started" ||
        event.type === "stage_finished";
      if (changed || clock - drawnAt >= FRAME) draw(finished, clock);
    },
    end() {
      clearInterval(timer);
      const finished = lines(tracker.flush());
      write(eraseLines(drawn.length) + finished.map((line) => `${line}\n`).join(""));
      drawn = [];
    },
  };
}

/** A display for one run. */
export function createDisplay(options: DisplayOptions): Display {
  const write = options.write ?? writeAll;
  if (options.json) return jsonDisplay(write);
  if (!options.terminal) return logDisplay(write);
  const { columns } = options;
  return liveDisplay(write, columns === undefined ? terminalColumns : () => columns);
}
