/**
 * What a run tells: the events of run.jsonl (one JSON object a line) and the nodes of a plan.
 * Drivers write them, the live display and the report read them. Names on disk are snake_case.
 * @module
 */

import type { EvalRow } from "./evals.ts";
import type { StageRole } from "./stage.ts";

/** Which copy of which stage: `stage` is the manifest's path without indices, for example `ppo.update`. */
export interface NodeName {
  readonly stage: string;
  /** stage id, for example `ppo-update` */
  readonly uses: string;
  /** what the stage does for the pipeline, if its definition says */
  readonly role?: StageRole;
  /** copy within a `foreach`, from 0 */
  readonly index?: number;
  /** iteration within an `iterate`, from 0 */
  readonly iteration?: number;
}

/** What a stage worked on, where it told: the last `tokens` among the fields of its progress. */
export interface Throughput {
  readonly tokens?: number;
  /** over all of the stage's seconds, reading models and compiling included */
  readonly tokens_per_second?: number;
}

/** The best iteration of a loop, by the metric that the manifest names. */
export interface BestIteration {
  readonly block: string;
  /** from 0 */
  readonly iteration: number;
  /** for example `eval.score of policy, greedy` */
  readonly metric: string;
  readonly value: number;
}

/** Estimated time of the runs of a stage that are not cached. */
export interface StageTime {
  /** the manifest's path, for example `ppo.update` */
  readonly stage: string;
  /** number of its copies and iterations to run */
  readonly runs: number;
  /** bounds of the seconds of each */
  readonly seconds_least: number;
  readonly seconds_most: number;
  /** it is in a loop that a metric may end before */
  readonly may_end_early?: boolean;
}

/** One event. `time` is milliseconds since the epoch. */
export type RunEvent =
  & { readonly time: number }
  & (
    | {
      readonly type: "run_started";
      readonly manifest: string;
      readonly run_dir: string;
      readonly seed: number;
      readonly threads: number;
      readonly executor: string;
      /** nodes of the plan if no `until` ends a loop early; of a plan with more than 10,000 the first ones */
      readonly nodes: readonly NodeName[];
      /** of a plan with more than 10,000 nodes: the number of all, and of the iterations of each loop */
      readonly more?: { readonly nodes: number; readonly iterations: Readonly<Record<string, number>> };
    }
    | {
      readonly type: "estimated";
      readonly memory_bytes: number;
      readonly disk_bytes: number;
      readonly memory_free_bytes: number;
      readonly disk_free_bytes: number;
    }
    | {
      /** not written to run.jsonl: the measured times are of this moment only */
      readonly type: "time_estimated";
      readonly stages: readonly StageTime[];
      /** stages to run that are not estimated */
      readonly unknown: readonly string[];
      /** seconds that the estimate took */
      readonly seconds: number;
    }
    | NodeName & { readonly type: "stage_started"; readonly key: string; readonly reason: string }
    /** a stage with `when` that does not run */
    | NodeName & { readonly type: "stage_skipped"; readonly reason: string }
    | NodeName & Throughput & {
      readonly type: "stage_cached";
      readonly key: string;
      /** those of the run that made the outputs, as are its tokens */
      readonly seconds: number;
      /** what the stage warned of in that run */
      readonly warnings?: readonly string[];
    }
    | NodeName & {
      readonly type: "stage_progress";
      readonly step?: number;
      readonly total?: number;
      readonly message?: string;
      /** something that a person should look at */
      readonly warning?: string;
      readonly fields?: Readonly<Record<string, number>>;
    }
    | NodeName & Throughput & {
      readonly type: "stage_finished";
      readonly key: string;
      readonly seconds: number;
      /** digest of every output */
      readonly outputs: Readonly<Record<string, string>>;
    }
    | NodeName & {
      /** the last value of every name in a `metrics` output, told for cached nodes too */
      readonly type: "metrics";
      readonly values: Readonly<Record<string, number>>;
    }
    | NodeName & {
      /** what an `evals@1` output holds, told for cached nodes too */
      readonly type: "evals";
      readonly rows: readonly EvalRow[];
    }
    | {
      /** a loop whose condition (`when`) does not hold: it has no iterations */
      readonly type: "loop_skipped";
      readonly block: string;
      readonly reason: string;
    }
    | {
      readonly type: "loop_ended";
      readonly block: string;
      readonly iteration: number;
      readonly reason: string;
    }
    | BestIteration & { readonly type: "loop_best" }
    | NodeName & { readonly type: "stage_failed"; readonly message: string; readonly exit_code: number }
    | { readonly type: "run_stopped"; readonly message: string }
    | {
      readonly type: "run_finished";
      readonly seconds: number;
      readonly ran: number;
      readonly cached: number;
    }
  );

/** A node of a finished run, with where its outputs lie and what it cost when it ran. */
export interface FinishedNode extends NodeName {
  readonly key: string;
  readonly cached: boolean;
  /** wall seconds of the run that made the outputs, now or earlier */
  readonly seconds: number;
  /** tokens that it worked on in that time, where it told */
  readonly tokens?: number;
  readonly params: Readonly<Record<string, unknown>>;
  /** digests by input port: one, a list, or by name */
  readonly inputs: Readonly<Record<string, string | readonly string[] | Readonly<Record<string, string>>>>;
  /** readable paths of all outputs by port */
  readonly outputs: Readonly<Record<string, string>>;
}

/** What a driver gives back, and all that a report is made from. */
export interface RunResult {
  readonly manifest: string;
  readonly runDir: string;
  readonly seed: number;
  readonly seconds: number;
  readonly nodes: readonly FinishedNode[];
  /** the best iteration of every loop whose manifest has `best` */
  readonly best: readonly BestIteration[];
  /** the manifest's `outputs:` by key, as paths under `<run dir>/outputs` */
  readonly outputs: Readonly<Record<string, string>>;
}
