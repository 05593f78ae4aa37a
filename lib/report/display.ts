/**
 * Shows a running pipeline in one of three ways: JSON lines for programs, plain lines for logs, and on a terminal a
 * moving block below the finished lines.
 * @module
 */
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { eraseLines, paint, withoutWrapping } from "./ansi.ts";
import { decimal, duration } from "./format.ts";
import { liveBlock, loopCurves } from "./live_block.ts";
import {
  iterationHead,
  iterationRow,
  iterationSentence,
  iterationSuffix,
  milestoneLine,
  runningValues,
} from "./milestone_text.ts";
import {
  labelOf,
  type Loop,
  loopIsOver,
  type Milestone,
  RunTracker,
  stageSecondsLeft,
} from "./run_tracker.ts";
import { rangeText } from "./time_left.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** Takes the events of one run, in order. */
export interface Display {
  event(event: RunEvent): void;
  /** writes delayed lines and restores the terminal; to be called however the run ended */
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
  /** width of the terminal; default: that of the console, or 80 without one */
  readonly columns?: number;
}

type Write = (text: string) => void;

/** Milliseconds between two lines of progress without a terminal. */
const LOG_INTERVAL = 5000;
/** Milliseconds between two lines about the time left of the whole run without a terminal. */
const LEFT_INTERVAL = 30_000;
/** Milliseconds between two drawings of the moving block. */
const FRAME = 100;
/** Milliseconds after which the moving block is drawn again without an event. */
const IDLE_FRAME = 250;

function writeAll(text: string): void {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80; // no console
  }
}

/** Plain lines for logs. */
class LogDisplay implements Display {
  readonly #tracker = new RunTracker();
  readonly #write: Write;
  #last = -Infinity;
  /** when the time left of the whole run was shown last */
  #leftAt = -Infinity;

  constructor(write: Write) {
    this.#write = write;
  }

  event(event: RunEvent): void {
    // The first interval of a stage begins when it starts.
    if (this.#last === -Infinity || event.type === "stage_started") {
      this.#last = Math.max(this.#last, event.time);
    }
    this.#show(this.#tracker.accept(event));
    if (event.type === "stage_progress") this.#progress(event);
    if (event.type === "time_estimated") this.#leftAt = event.time;
    if (event.type === "stage_finished" || event.type === "metrics") this.#timeLeft(event.time);
  }

  end(): void {
    this.#show(this.#tracker.flush());
  }

  #show(milestones: readonly Milestone[]): void {
    for (const m of milestones) {
      const line = m.kind === "iteration"
        ? iterationSentence(m.loop, m.iteration)
        : m.kind === "event" && m.event.type === "stage_started" && m.event.iteration === undefined
        ? `${labelOf(m.event)}: started${m.event.reason === "" ? "" : ` (${m.event.reason})`}`
        : milestoneLine(m, paint(false));
      if (line !== undefined) this.#write(`${line}\n`);
    }
  }

  #timeLeft(now: number): void {
    const left = now - this.#leftAt < LEFT_INTERVAL ? undefined : this.#tracker.timeLeft.at(now);
    if (left === undefined || left[1] < 1) return;
    this.#leftAt = now;
    this.#write(`  whole run: ${rangeText(left)} left\n`);
  }

  #progress(event: RunEvent & { type: "stage_progress" }): void {
    const stage = this.#tracker.running.get(labelOf(event));
    if (stage?.step === undefined || event.time - this.#last < LOG_INTERVAL) return;
    this.#last = event.time;
    const total = stage.total === undefined ? "" : `/${decimal(stage.total, 0)}`;
    const left = stageSecondsLeft(stage, event.time);
    const parts = [
      `step ${decimal(stage.step, 0)}${total}`,
      ...runningValues(stage),
      ...(left === undefined ? [] : [`${duration(left)} left`]),
    ];
    this.#write(`${labelOf(event)}${iterationSuffix(event)}: ${parts.join(", ")}\n`);
  }
}

function endsLoop(event: RunEvent, loop: Loop): boolean {
  return event.type === "run_finished" || (event.type === "loop_ended" && event.block === loop.block);
}

/** Finished lines and a moving block below them. */
class LiveDisplay implements Display {
  readonly #tracker = new RunTracker();
  readonly #paint = paint(!Deno.noColor);
  readonly #headed = new Set<string>();
  readonly #plotted = new Set<Loop>();
  readonly #write: Write;
  readonly #columns: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  #drawn = 0;
  #drawnAt = -Infinity;
  /** difference between this machine's clock and that of the events */
  #offset = 0;

  constructor(write: Write, columns: () => number) {
    this.#write = write;
    this.#columns = columns;
    // Between events (a long native call, a big file) the spinner and the seconds still move.
    this.#timer = setInterval(() => {
      if (this.#tracker.running.size > 0) this.#draw([], Date.now() - this.#offset);
    }, IDLE_FRAME);
    Deno.unrefTimer(this.#timer);
  }

  event(event: RunEvent): void {
    this.#offset = Date.now() - event.time;
    const milestones = this.#tracker.accept(event);
    const last = event.type === "run_finished" ? milestones.length - 1 : milestones.length;
    const finished = [
      ...this.#lines(milestones.slice(0, last)),
      ...this.#curves(milestones),
      ...this.#lines(milestones.slice(last)),
    ];
    const changed = finished.length > 0 || event.type === "stage_started" || event.type === "stage_finished";
    if (changed || event.time - this.#drawnAt >= FRAME) this.#draw(finished, event.time);
  }

  end(): void {
    clearInterval(this.#timer);
    const finished = this.#lines(this.#tracker.flush());
    this.#write(eraseLines(this.#drawn) + finished.map((line) => `${line}\n`).join(""));
    this.#drawn = 0;
  }

  #lines(milestones: readonly Milestone[]): string[] {
    return milestones.flatMap((m) => {
      if (m.kind !== "iteration") return milestoneLine(m, this.#paint) ?? [];
      const head = this.#headed.has(m.loop.block) ? [] : [iterationHead(m.loop, this.#paint)];
      this.#headed.add(m.loop.block);
      return [...head, iterationRow(m.loop, m.iteration, this.#paint)];
    });
  }

  /** Returns the curves of loops that have just ended, also when all of their iterations were cached. */
  #curves(milestones: readonly Milestone[]): string[] {
    const kept: string[] = [];
    for (const loop of milestones.length === 0 ? [] : this.#tracker.loops.values()) {
      if (this.#plotted.has(loop)) continue;
      const over = milestones.some((m) => m.kind === "event" && endsLoop(m.event, loop)) || loopIsOver(loop);
      if (!over) continue;
      this.#plotted.add(loop);
      append(kept, loopCurves(loop, { columns: this.#columns(), paint: this.#paint }));
    }
    return kept;
  }

  #draw(finished: readonly string[], now: number): void {
    const block = liveBlock(this.#tracker, {
      now,
      columns: this.#columns(),
      paint: this.#paint,
      plotted: this.#plotted,
    });
    const above = finished.map((line) => `${line}\n`).join("");
    const live = block.map((line) => `${line}\n`).join("");
    this.#write(eraseLines(this.#drawn) + above + (live === "" ? "" : withoutWrapping(live)));
    this.#drawn = block.length;
    this.#drawnAt = now;
  }
}

/** Returns a display for one run. Control characters of texts in events, which may be foreign, are shown as escapes. */
export function createDisplay({ json, terminal, write = writeAll, columns }: DisplayOptions): Display {
  // As JSON the escapes are the same text.
  if (json) return { event: (event) => write(`${escapeControls(JSON.stringify(event))}\n`), end() {} };
  const display = terminal
    ? new LiveDisplay(write, columns === undefined ? terminalColumns : () => columns)
    : new LogDisplay(write);
  return { event: (event) => display.event(harmless(event) as RunEvent), end: () => display.end() };
}

/** Returns a value with the control characters of its texts and names as escapes. */
function harmless(value: unknown): unknown {
  if (typeof value === "string") return escapeControls(value);
  if (Array.isArray(value)) return value.map(harmless);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [escapeControls(name), harmless(each)]),
  );
}
