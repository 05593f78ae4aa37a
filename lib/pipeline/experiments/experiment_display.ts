/**
 * Shows a running experiment: a line when a run ends, and on a terminal a moving line with the current stage of every run.
 * With `--json`, events instead.
 * @module
 */
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { eraseLines, type Paint, paint, withoutWrapping } from "@/lib/report/ansi.ts";
import { counted, decimal, duration } from "@/lib/report/format.ts";
import { iterationSuffix } from "@/lib/report/milestone_text.ts";
import { labelOf } from "@/lib/report/run_tracker.ts";
import type { RunSpec } from "./resolve_runs.ts";
import type { JobEnd } from "./run_queue.ts";

/** One line of `--json`. `time` is milliseconds since the epoch. */
export type ExperimentEvent =
  & { readonly time: number }
  & (
    | {
      readonly type: "experiment_started";
      readonly experiment: string;
      readonly runs: number;
      readonly done: number;
    }
    | { readonly type: "experiment_run_started"; readonly run: string; readonly seed: number }
    | {
      readonly type: "experiment_run_finished";
      readonly run: string;
      readonly end: JobEnd;
      readonly seconds: number;
    }
    | {
      readonly type: "experiment_finished";
      readonly out_dir: string;
      readonly done: number;
      readonly runs: number;
    }
  );

/** Output of the display. */
export interface DisplayTarget {
  readonly json: boolean;
  readonly terminal: boolean;
  readonly write: (text: string) => void;
  /** milliseconds since the epoch */
  readonly now: () => number;
}

/** Shows a running experiment. */
export class ExperimentDisplay {
  readonly #target: DisplayTarget;
  readonly #paint: Paint;
  readonly #running = new Map<RunSpec, { readonly since: number; doing: string }>();
  #done = 0;
  #all = 0;
  #isDrawn = false;

  constructor(target: DisplayTarget) {
    this.#target = target;
    this.#paint = paint(target.terminal);
  }

  /** Shows the start; `done` of `all` runs are done already. */
  begin(experiment: string, all: number, done: number, jobs: number): void {
    this.#all = all;
    this.#done = done;
    this.#event({ type: "experiment_started", experiment, runs: all, done });
    const before = done === 0 ? "" : `, ${decimal(done, 0)} already done`;
    this.#line(`${experiment}: ${counted(all, "run")}${before}, ${decimal(jobs, 0)} at a time`);
  }

  /** Shows that a run starts. */
  started(run: RunSpec): void {
    this.#running.set(run, { since: this.#target.now(), doing: "starting" });
    this.#event({ type: "experiment_run_started", run: run.name, seed: run.seed });
    this.#draw();
  }

  /** Shows the stage that a run has started. */
  progress(run: RunSpec, event: RunEvent): void {
    const entry = this.#running.get(run);
    if (entry === undefined || event.type !== "stage_started") return;
    entry.doing = escapeControls(`${labelOf(event)}${iterationSuffix(event)}`);
    this.#draw();
  }

  /** Shows that a run ended. @param message its error message, if it failed */
  finished(run: RunSpec, end: JobEnd, message = ""): void {
    const seconds = (this.#target.now() - (this.#running.get(run)?.since ?? this.#target.now())) / 1000;
    this.#running.delete(run);
    const isCounted = this.#all > 0; // prepared runs are not counted
    if (end === "done" && isCounted) this.#done++;
    this.#event({ type: "experiment_run_finished", run: run.name, end, seconds });
    const mark = { done: this.#paint.green("✓"), failed: this.#paint.red("✗"), stopped: "–" }[end];
    const note = end === "done"
      ? duration(seconds)
      : end === "failed"
      ? `failed: ${escapeControls(message)}`
      : "interrupted";
    const count = isCounted ? `  ${this.#paint.dim(`${this.#done}/${this.#all}`)}` : "";
    this.#line(`${mark} ${escapeControls(run.name)}  ${note}${count}`);
  }

  /** Shows the end. @param summary text for people */
  ended(outDir: string, summary: string): void {
    this.#erase();
    this.#event({ type: "experiment_finished", out_dir: outDir, done: this.#done, runs: this.#all });
    if (!this.#target.json) this.#target.write(`\n${summary}\n`);
  }

  #event(
    event: ExperimentEvent extends infer E ? E extends ExperimentEvent ? Omit<E, "time"> : never : never,
  ): void {
    if (this.#target.json) {
      this.#target.write(`${escapeControls(JSON.stringify({ time: this.#target.now(), ...event }))}\n`);
    }
  }

  #line(text: string): void {
    if (this.#target.json) return;
    this.#erase();
    this.#target.write(`${text}\n`);
    this.#draw();
  }

  #erase(): void {
    if (this.#isDrawn) this.#target.write(eraseLines(0));
    this.#isDrawn = false;
  }

  #draw(): void {
    if (this.#target.json || !this.#target.terminal) return;
    this.#erase();
    if (this.#running.size === 0) return;
    const parts = [...this.#running].map(([run, { doing }]) => `${escapeControls(run.name)}: ${doing}`);
    this.#target.write(withoutWrapping(this.#paint.dim(parts.join(" · "))));
    this.#isDrawn = true;
  }
}
