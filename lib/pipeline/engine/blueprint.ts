/**
 * A checked plan before loops are unrolled: stages with validated parameters and references that point somewhere.
 * @module
 */
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import type { Stage } from "@/lib/data/contracts/stage.ts";
import type { Keep } from "./manifest.ts";

/** Finds stages. The application implements it; the pipeline itself knows no stage. */
export interface StageSource {
  /** ids of all stages, sorted */
  readonly list: () => Promise<readonly string[]>;
  /** the stage `id`, which must be one of `list` */
  readonly load: (id: string) => Promise<Stage>;
  /** absolute path of the stage's program, main.ts */
  readonly program: (id: string) => string;
}

/** Where a value comes from. */
export type Reference =
  | { readonly from: "input"; readonly name: string }
  /** an output of a stage outside any block, or of the same copy or iteration of the same block */
  | { readonly from: "stage"; readonly stage: StagePlan; readonly port: string }
  /** that output of all copies or iterations of another block, in order */
  | { readonly from: "all"; readonly stage: StagePlan; readonly port: string }
  | { readonly from: "carry"; readonly block: IteratePlan; readonly name: string }
  /** a carried value after the last iteration */
  | { readonly from: "next"; readonly block: IteratePlan; readonly name: string }
  /** a carried value of the loop's best iteration */
  | { readonly from: "best"; readonly block: IteratePlan; readonly name: string };

/** What an input port reads; each reference of a list or map may give several values. */
export type Binding =
  | { readonly kind: "one"; readonly reference: Reference }
  | { readonly kind: "list"; readonly references: readonly Reference[] }
  | { readonly kind: "map"; readonly references: Readonly<Record<string, Reference>> };

/** One stage entry of the manifest. */
export interface StagePlan {
  /** name in messages, events and `--set`: `sft`, `ppo.update` */
  readonly path: string;
  readonly name: string;
  readonly stage: Stage;
  readonly block?: BlockPlan;
  /** resolved parameters, as JSON */
  readonly params: Readonly<Record<string, unknown>>;
  /** optional inputs that these parameters need, and optional outputs that they omit: the settings by port */
  readonly needs: Readonly<Record<string, string>>;
  readonly omits: Readonly<Record<string, string>>;
  readonly bindings: Record<string, Binding>;
  /** runs only if this has a value */
  when?: Reference;
  readonly seedLabel: string;
  /** inside a loop: runs after every so many iterations, and after the last */
  readonly every: number;
}

/** Copies of the stages in it. */
export interface ForeachPlan {
  readonly kind: "foreach";
  readonly name: string;
  readonly count: number;
  readonly stages: StagePlan[];
}

/**
 * A metric that a stage of a loop writes in an iteration, or one outside: it decides when the loop ends, which iteration is
 * best, or whether the loop runs.
 */
export interface LoopMetric {
  readonly stage: StagePlan;
  readonly port: string;
  readonly metric: string;
  /** the row of `evals@1` that holds it; absent for `metrics@1`. Without a model, only one row may fit */
  readonly row?: { readonly model?: string; readonly mode: DecodingMode };
}

/** A metric with a bound: the condition holds if the metric is above, or below it. */
export interface Condition {
  readonly metric: LoopMetric;
  readonly above?: number;
  readonly below?: number;
}

/** How the best iteration of a loop is chosen. */
export interface BestPlan {
  readonly metric: LoopMetric;
  readonly goal: "max" | "min";
  /** whether the metric belongs to what the iteration carried out (`next`) or to what it started from (`carry`) */
  readonly take: "next" | "carry";
}

/** Iterations of the stages in it. */
export interface IteratePlan {
  readonly kind: "iterate";
  readonly name: string;
  readonly count: number;
  readonly stages: StagePlan[];
  readonly carry: Record<string, Reference | null>;
  readonly next: Record<string, Reference>;
  /** the loop runs only if it holds; the metric is that of a stage outside of blocks */
  when?: Condition;
  until?: Condition;
  best?: BestPlan;
  /** models and states are written in every so many iterations */
  readonly publish: number;
}

/** A block. */
export type BlockPlan = ForeachPlan | IteratePlan;

/** An entry at the top level of a manifest. */
export type EntryPlan = StagePlan | BlockPlan;

/** The whole plan. */
export interface Blueprint {
  /** the manifest's file, as it was named */
  readonly manifest: string;
  readonly seed: number;
  /** absolute paths; null: not given */
  readonly inputs: Readonly<Record<string, string | null>>;
  /** top-level entries, each after all that it reads from */
  readonly entries: readonly EntryPlan[];
  readonly outputs: Readonly<Record<string, Reference>>;
  readonly keep: Keep;
  /** things that are allowed but look like mistakes */
  readonly warnings: readonly string[];
}

/** Returns true for a block, false for a stage. */
export function isBlock(entry: EntryPlan): entry is BlockPlan {
  return "kind" in entry;
}

/** Returns true for an `iterate` block. */
export function isLoop(entry: EntryPlan): entry is IteratePlan {
  return isBlock(entry) && entry.kind === "iterate";
}

/** Returns all stages of `blueprint`, in the order of its entries. */
export function allStages(blueprint: Pick<Blueprint, "entries">): StagePlan[] {
  return blueprint.entries.flatMap((entry) => isBlock(entry) ? entry.stages : [entry]);
}

/** Returns the references within `binding`. */
export function referencesOf(binding: Binding): readonly Reference[] {
  if (binding.kind === "one") return [binding.reference];
  return binding.kind === "list" ? binding.references : Object.values(binding.references);
}

/** Returns the number of the last iteration or copy of `block` if nothing ends it early. */
export function lastIteration(block: BlockPlan): number {
  return block.count - 1;
}

/** Returns true if `plan` runs in an iteration of its loop: in every `every`-th one, and in `last`. */
export function runsInIteration(
  { every }: Pick<StagePlan, "every">,
  iteration: number,
  last: number,
): boolean {
  return (iteration + 1) % every === 0 || iteration === last;
}
