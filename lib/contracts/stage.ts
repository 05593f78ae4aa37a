/**
 * What a stage is: its ports, its parameters, and the function that turns input paths into output paths.
 * Programs, the pipeline, the HTTP server and containers all drive a stage through this one type.
 * @module
 */
import type { z } from "zod";
import type { HandOver } from "@/lib/files/hand_over.ts";

/** What flows through a port: an Arrow contract, a directory layout, or a user's file. */
export type Contract =
  | "tokens@1"
  | "prompts@1"
  | "rollouts@1"
  | "scored@1"
  | "pairs@1"
  | "evals@1"
  | "metrics@1"
  | "samples@1"
  | "results@1"
  | "curves@1"
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
   * inputs: large files of it are read through the context's `handOver`, so they need not lie on the disk. Outputs: they
   * are given to it
   */
  readonly handedOver?: boolean;
}

/** Ports by name (snake_case). */
export type Ports = Readonly<Record<string, Port>>;

/** Paths given to an input port; absent ports are undefined. */
export type InputPaths = Readonly<
  Record<string, string | readonly string[] | Readonly<Record<string, string>> | undefined>
>;

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

/** All that a stage's function may use. */
export interface StageContext<Params> {
  readonly params: Params;
  readonly inputs: InputPaths;
  /** a path for every output port; nothing exists there yet; the stage creates the file or directory */
  readonly outputs: Readonly<Record<string, string>>;
  /** the stage's own seed, a non-negative safe integer */
  readonly seed: number;
  /** number of the round in an `iterate` block, from 0; 0 elsewhere */
  readonly iteration: number;
  /** an empty or earlier directory of this very action: a stage may keep a checkpoint here to go on after a stop */
  readonly scratch?: string;
  readonly threads: number;
  /** aborted when a stop is wanted: the stage finishes the step in hand, saves to scratch, and throws TryAgainError */
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

/** A stage: one per folder of `stages/`, exported as `stage` from its main.ts. */
export interface Stage<Schema extends z.ZodObject = z.ZodObject> {
  /** hyphenated; equals the folder's name */
  readonly id: string;
  /** one sentence */
  readonly summary: string;
  /**
   * strict zod object; every field has `.describe()` and `.meta({ unit?, source? })` (source: where the default comes
   * from) and a default unless it must be given
   */
  readonly params: Schema;
  readonly inputs: Ports;
  readonly outputs: Ports;
  /** false: draws no random numbers, so that seed and iteration are not part of its key */
  readonly random: boolean;
  /**
   * inputs that are optional but needed with these parameters, each with the setting that needs it:
   * `{ critic: "advantage_estimator=gae" }`. Who plans and who runs a stage refuse parameters without them
   */
  readonly needs?: (params: z.output<Schema>) => Readonly<Record<string, string>>;
  /** optional outputs that these parameters leave out whatever the inputs, each with the setting that does */
  readonly omits?: (params: z.output<Schema>) => Readonly<Record<string, string>>;
  readonly run: (context: StageContext<z.output<Schema>>) => Promise<void>;
}

/** Keeps the type of `params` while it checks the stage's shape. */
export function defineStage<Schema extends z.ZodObject>(stage: Stage<Schema>): Stage<Schema> {
  return stage;
}
