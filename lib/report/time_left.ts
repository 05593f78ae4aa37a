/**
 * The time that a run still takes: the estimate of before the first stage, with the measured seconds of stages that have finished since
 * in place of estimated ones. Time comes from the events, never from a clock.
 * @module
 */
import type { RunEvent, StageTime } from "@/lib/data/contracts/events.ts";
import type { Range } from "@/lib/data/contracts/workload.ts";
import { duration } from "./format.ts";

/** Runs of one stage. */
interface Runs {
  /** in the plan, if no loop ends early */
  planned: number;
  /** its loop has ended */
  hasEnded: boolean;
  /** finished or cached */
  visited: number;
  /** finished since the estimate, and their seconds */
  finished: number;
  seconds: number;
  /** when the running ones began */
  readonly running: Map<string, number>;
}

/** What is left of a run. */
export class TimeLeft {
  readonly #runs = new Map<string, Runs>();
  #stages: readonly StageTime[] = [];
  /** whether the plan listed all of its nodes: of a very long one only the first are */
  #isListed = true;

  /** Takes the next event. */
  accept(event: RunEvent): void {
    switch (event.type) {
      case "run_started":
        for (const { stage } of event.nodes) this.#of(stage).planned++;
        this.#isListed = event.more === undefined;
        break;
      case "time_estimated":
        this.#stages = event.stages;
        break;
      case "loop_ended":
        for (const [stage, runs] of this.#runs) {
          if (stage.startsWith(`${event.block}.`)) runs.hasEnded = true;
        }
        break;
      case "stage_started":
        this.#of(event.stage).running.set(keyOf(event), event.time);
        break;
      case "stage_cached":
      case "stage_finished": {
        const runs = this.#of(event.stage);
        runs.visited++;
        runs.running.delete(keyOf(event));
        if (event.type === "stage_cached") break;
        runs.finished++;
        runs.seconds += event.seconds;
        break;
      }
      case "stage_failed":
        this.#of(event.stage).running.delete(keyOf(event));
        break;
    }
  }

  /** Returns bounds of the seconds that are left at `now`, if no loop ends early; undefined without an estimate. */
  at(now: number): Range | undefined {
    if (this.#stages.length === 0) return undefined;
    let [least, most] = [0, 0];
    for (const { stage, runs: toRun, seconds_least, seconds_most } of this.#stages) {
      const runs = this.#of(stage);
      const planned = this.#isListed ? runs.planned - runs.visited : Infinity;
      const left = runs.hasEnded ? 0 : Math.max(0, Math.min(toRun - runs.finished, planned));
      const mean = runs.finished > 0 ? runs.seconds / runs.finished : undefined;
      const [fast, slow] = mean === undefined ? [seconds_least, seconds_most] : [mean, mean];
      let [ranLeast, ranMost] = [0, 0];
      for (const since of runs.running.values()) {
        ranLeast += Math.min(fast, (now - since) / 1000);
        ranMost += Math.min(slow, (now - since) / 1000);
      }
      least += Math.max(0, left * fast - ranLeast);
      most += Math.max(0, left * slow - ranMost);
    }
    return [least, most];
  }

  #of(stage: string): Runs {
    const found = this.#runs.get(stage) ??
      { planned: 0, hasEnded: false, visited: 0, finished: 0, seconds: 0, running: new Map() };
    this.#runs.set(stage, found);
    return found;
  }
}

function keyOf({ index, iteration }: { readonly index?: number; readonly iteration?: number }): string {
  return `${index}/${iteration}`;
}

/** Returns bounds of a duration as text: `about 40 s` where they are close, otherwise `40 s to 1 min 20 s`. */
export function rangeText([least, most]: Range): string {
  return most <= 1.2 * least || most < 1
    ? `about ${duration((least + most) / 2)}`
    : `${duration(least)} to ${duration(most)}`;
}

/** Returns the estimate of a run as text. */
export function estimateText(
  { stages, unknown, seconds }: RunEvent & { readonly type: "time_estimated" },
): string {
  const whole = stages.map((stage): Range => [
    stage.runs * stage.seconds_least,
    stage.runs * stage.seconds_most,
  ]);
  const sum = whole.reduce(([a, b], [c, d]): Range => [a + c, b + d], [0, 0]);
  const parts = stages.map(({ stage, runs }, i) =>
    `${stage}${runs > 1 ? ` ×${runs}` : ""} ${rangeText(whole[i]!).replace("about ", "")}`
  );
  const early = stages.some(({ may_end_early }) => may_end_early) ? " if no loop ends early" : "";
  const without = unknown.length === 0 ? "" : `, without ${unknown.join(", ")}`;
  return `estimated time: ${rangeText(sum)}${early}${without} (${parts.join(", ")}); ` +
    `from a few steps with the base’s weights, ${duration(seconds)}`;
}
