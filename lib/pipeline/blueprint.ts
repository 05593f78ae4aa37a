/**
 * A checked plan before loops are unrolled: stages with validated parameters and references that point somewhere.
 * @module
 */
import type { DecodingMode } from "@/lib/contracts/evals.ts";
import type { Stage } from "@/lib/contracts/stage.ts";
import type { Keep } from "./manifest.ts";

/** Finds stages. The pipeline knows none by itself: the application hands it one of these. */
export interface StageSource {
  /** ids of all stages, sorted */
  readonly list: () => Promise<readonly string[]>;
  /** the stage `id`; it is an error to ask for one that `list` does not name */
  readonly load: (id: string) => Promise<Stage>;
  /** absolute path of the stage's program, main.ts */
  readonly program: (id: string) => string;
}

/** Where a value comes from. */
export type Reference =
  | { readonly from: "input"; readonly name: string }
  /** an output of a stage outside any block, or of the same copy or round of the same block */
  | { readonly from: "stage"; readonly stage: StagePlan; readonly port: string }
  /** that output of all copies or rounds of another block, in order */
  | { readonly from: "all"; readonly stage: StagePlan; readonly port: string }
  | { readonly from: "carry"; readonly block: IteratePlan; readonly name: string }
  /** a carried value after the last round */
  | { readonly from: "next"; readonly block: IteratePlan; readonly name: string }
  /** a carried value of the loop's best round */
  | { readonly from: "best"; readonly block: IteratePlan; readonly name: string };

/** What an input port reads; references of a list or map may each give several values. */
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
  /** optional inputs that these parameters need, and optional outputs that they leave out: the settings by port */
  readonly needs: Readonly<Record<string, string>>;
  readonly omits: Readonly<Record<string, string>>;
  readonly bindings: Record<string, Binding>;
  readonly seedLabel: string;
  /** inside a loop: runs after every that many rounds, and in the last */
  readonly every: number;
}

/** Copies of the stages in it. */
export interface ForeachPlan {
  readonly kind: "foreach";
  readonly name: string;
  readonly count: number;
  readonly stages: StagePlan[];
}

/** A figure that a stage of a loop leaves behind in a round. */
export interface Figure {
  readonly stage: StagePlan;
  readonly port: string;
  readonly metric: string;
  /** which row of `evals@1` holds it; absent for `metrics@1`. Without a model there must be one alone */
  readonly row?: { readonly model?: string; readonly mode: DecodingMode };
}

/** How the best round of a loop is told. */
export interface BestPlan {
  readonly figure: Figure;
  readonly goal: "max" | "min";
  /** what the best round carried out, or what it started from */
  readonly take: "next" | "carry";
}

/** Rounds of the stages in it. */
export interface IteratePlan {
  readonly kind: "iterate";
  readonly name: string;
  readonly count: number;
  readonly stages: StagePlan[];
  readonly carry: Record<string, Reference | null>;
  readonly next: Record<string, Reference>;
  readonly until?: { readonly figure: Figure; readonly above?: number; readonly below?: number };
  readonly best?: BestPlan;
  /** models and states are written in every so many rounds */
  readonly publish: number;
}

/** A block. */
export type BlockPlan = ForeachPlan | IteratePlan;

/** The whole plan. */
export interface Blueprint {
  /** the manifest's file, as it was named */
  readonly manifest: string;
  readonly seed: number;
  /** absolute paths; null: not given */
  readonly inputs: Readonly<Record<string, string | null>>;
  /** top-level entries, each after all that it reads from */
  readonly entries: readonly (StagePlan | BlockPlan)[];
  readonly outputs: Readonly<Record<string, Reference>>;
  readonly keep: Keep;
  /** things that are allowed but look like slips */
  readonly warnings: readonly string[];
}

/** True for a block, false for a stage. */
export function isBlock(entry: StagePlan | BlockPlan): entry is BlockPlan {
  return "kind" in entry;
}

/** All stages of `blueprint`, in the order of its entries. */
export function allStages(blueprint: Pick<Blueprint, "entries">): StagePlan[] {
  return blueprint.entries.flatMap((entry) => isBlock(entry) ? entry.stages : [entry]);
}

/** The references within `binding`. */
export function referencesOf(binding: Binding): readonly Reference[] {
  if (binding.kind === "one") return [binding.reference];
  return binding.kind === "list" ? binding.references : Object.values(binding.references);
}

/** The number of the last round or copy of `block` if nothing ends it early. */
export function lastRound(block: BlockPlan): number {
  return block.count - 1;
}

/** True where `plan` runs in round `iteration` of its loop: after its first `every` rounds, the next, …, and in `last`. */
export function runsInRound({ every }: Pick<StagePlan, "every">, iteration: number, last: number): boolean {
  return (iteration + 1) % every === 0 || iteration === last;
}
