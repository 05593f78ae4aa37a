/**
 * What a stage is: its ports, its parameters, and the function that turns input paths into output paths.
 * Programs, the pipeline, the HTTP server and containers all drive a stage through this one type.
 * @module
 */
import type { z } from "zod";
import type { HandOver } from "@/lib/data/files/hand_over.ts";
import type { WorkContext, Workload } from "./workload.ts";

/** What flows through a port: an Arrow contract, a directory layout, or a user's file. */
export type Contract =
  | "tokens@1"
  | "prompts@1"
  | "rollouts@1"
  | "scored@1"
  | "pairs@1"
  | "evals@1"
  | "differences@1"
  | "metrics@1"
  | "samples@1"
  | "results@1"
  | "curves@2"
  | "model"
  | "models"
  | "reward"
  | "state"
  | "report"
  | "file";

/** One input or output. A list port takes several paths in order, a map port takes named ones; an output is one path. */
export interface Port {
  /** one contract, or several of which the file has one */
  readonly contract: Contract | readonly Contract[];
  readonly description: string;
  /** inputs: may be left out. Outputs: not always written (then the path does not exist afterwards) */
  readonly optional?: boolean;
  readonly many?: "list" | "map";
  /**
   * inputs of a stage that evaluates: what its metrics are measured on. Planning refuses it for both the result and the metric by
   * which a loop selects an iteration or stops
   */
  readonly evidence?: boolean;
  /**
   * inputs: large files of it are read through the context's `handOver`, so they need not lie on the disk. Outputs: they
   * are given to it
   */
  readonly handedOver?: boolean;
}

/** Ports by name (snake_case). */
export type Ports = Readonly<Record<string, Port>>;

/** The paths given to one input port: one, a list, or a map of names to paths. */
type PathsOf<P extends Port> = P extends { many: "list" } ? readonly string[]
  : P extends { many: "map" } ? Readonly<Record<string, string>>
  : Port extends P ? string | readonly string[] | Readonly<Record<string, string>>
  : string;

/** The paths given to a stage's input ports, by name; an optional port that is not bound is undefined. */
export type InputPaths<Inputs extends Ports = Ports> = {
  readonly [Name in keyof Inputs]:
    | PathsOf<Inputs[Name]>
    | (Inputs[Name] extends { optional: true } ? undefined : Port extends Inputs[Name] ? undefined : never);
};

/** A path for each of a stage's output ports, by name. */
export type OutputPaths<Outputs extends Ports = Ports> = { readonly [Name in keyof Outputs]: string };

/** What a stage tells while it works; shown live, never stored with the outputs. */
export interface StageProgress {
  readonly step?: number;
  readonly total?: number;
  /** one line for a person */
  readonly message?: string;
  /** one line about something that a person should look at: it stays on the screen and does not end the run */
  readonly warning?: string;
  /** figures of this moment, snake_case: loss, reward, kl, tokens_per_second, … */
  readonly fields?: Readonly<Record<string, number>>;
}

/** All that a stage's function may use. Declare the ports `as const satisfies Ports`: their paths then have exact types. */
export interface StageContext<Params, Inputs extends Ports = Ports, Outputs extends Ports = Ports> {
  readonly params: Params;
  readonly inputs: InputPaths<Inputs>;
  /** nothing exists at these paths yet; the stage creates the files or directories */
  readonly outputs: OutputPaths<Outputs>;
  /** the stage's own seed, a non-negative safe integer */
  readonly seed: number;
  /** number of the round in an `iterate` block, from 0; 0 elsewhere */
  readonly iteration: number;
  /** an empty or earlier directory of this very action: a stage may keep a checkpoint here to go on after a stop */
  readonly scratch?: string;
  readonly threads: number;
  /** device that computes, as in `--device`; default: the processor */
  readonly device?: string;
  /** aborted to stop the stage: it finishes the current step, saves to scratch, and throws TryAgainError */
  readonly signal: AbortSignal;
  readonly progress: (p: StageProgress) => void;
  /** large files of ports that are `handedOver`, in memory; absent where a stage has a process of its own */
  readonly handOver?: HandOver;
}

/** Memory and disk that a run needs, for the check before the first stage. */
export interface Estimate {
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/**
 * What a stage does for a pipeline. The report finds what it shows by role and port, so it needs no stage's id:
 * - `data` writes prompts; the `meta` of `eval_prompts` may list words that a checker looks for
 * - `train` writes a `loss` per step to `metrics`
 * - `reward` writes what it found about the reward to `report`
 * - `sample` reports the tokens per second of a loop's iteration
 * - `update` writes the metrics of a loop's iteration to `metrics`
 * - `evaluate` writes `evals` and `samples` of `models`, of which one may be its `base`
 */
export type StageRole = "data" | "train" | "reward" | "sample" | "update" | "evaluate";

/** A stage: one per folder of `stages/`, exported as `stage` from its main.ts. */
export interface Stage<Schema extends z.ZodObject = z.ZodObject> {
  /** hyphenated; equals the folder's name */
  readonly id: string;
  /** one sentence */
  readonly summary: string;
  readonly role?: StageRole;
  /**
   * strict zod object; every field has `.describe()` and `.meta({ unit?, source? })` (source: where the default comes
   * from) and a default unless it must be given
   */
  readonly params: Schema;
  /** old names of parameters with their new ones: an old name fails with the new one in the message */
  readonly renamed?: Readonly<Record<string, string>>;
  readonly inputs: Ports;
  readonly outputs: Ports;
  /** false: draws no random numbers, so that seed and iteration are not part of its key */
  readonly random: boolean;
  /**
   * inputs that are optional but needed with these parameters, each with the setting that needs it:
   * `{ critic: "advantage_estimator=gae" }`. Who plans and who runs a stage refuse parameters without them. `given` has the
   * names of the inputs that are given, for parameters that need one of two
   */
  readonly needs?: (params: z.output<Schema>, given: readonly string[]) => Readonly<Record<string, string>>;
  /** optional outputs that these parameters leave out whatever the inputs, each with the setting that does */
  readonly omits?: (params: z.output<Schema>) => Readonly<Record<string, string>>;
  /** the work of one run, for the estimate of a run's time; undefined: not known, or too little to count */
  readonly workload?: (context: WorkContext<z.output<Schema>>) => Workload | undefined;
  readonly run: (context: StageContext<z.output<Schema>>) => Promise<void>;
}

/** A stage whose function knows its ports by name. */
type StageDefinition<Schema extends z.ZodObject, Inputs extends Ports, Outputs extends Ports> =
  & Omit<Stage<Schema>, "inputs" | "outputs" | "run">
  & {
    readonly inputs: Inputs;
    readonly outputs: Outputs;
    readonly run: (context: StageContext<z.output<Schema>, Inputs, Outputs>) => Promise<void>;
  };

/** Checks a stage's shape. Its ports are checked when it is planned or run, so callers see them by any name. */
export function defineStage<
  Schema extends z.ZodObject,
  const Inputs extends Ports,
  const Outputs extends Ports,
>(stage: StageDefinition<Schema, Inputs, Outputs>): Stage<Schema> {
  return stage as unknown as Stage<Schema>;
}
