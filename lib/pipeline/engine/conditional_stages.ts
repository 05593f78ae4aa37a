/**
 * Stages with `when`, which run only if a value exists: a user's file, or an optional output of another stage. Some are decided
 * when a run is planned; the others, whose source decides while it runs, in the walk.
 * @module
 */
import {
  allStages,
  type Binding,
  type EntryPlan,
  isBlock,
  type Reference,
  referencesOf,
  type StagePlan,
} from "./blueprint.ts";
import type { PlacedProblem, YamlPath } from "./placed_yaml.ts";

/** Returns true if it is known before the run that `reference` has no value. */
function hasNoValue(
  reference: Reference,
  inputs: Readonly<Record<string, string | null>>,
): boolean {
  if (reference.from === "input") return (inputs[reference.name] ?? null) === null;
  if (reference.from !== "stage") return false;
  const { stage, port } = reference;
  return Object.hasOwn(stage.omits, port) || isAbsent(stage, inputs);
}

/** Returns true if it is known before the run that the stage does not run. */
export function isAbsent({ when }: StagePlan, inputs: Readonly<Record<string, string | null>>): boolean {
  return when !== undefined && hasNoValue(when, inputs);
}

/** Returns the problem with a reference under `when`; undefined if there is none. */
export function whenProblem(plan: StagePlan, reference: Reference): string | undefined {
  if (plan.block) return `"when" is allowed only outside of blocks`;
  if (reference.from === "input" || reference.from === "stage") return undefined;
  return `"when" must name an input or an output of a stage outside of blocks`;
}

/** Adds a problem for every required input that only stages with `when` give, unless its reader has the same `when`. */
export function checkReaders(
  stages: readonly StagePlan[],
  atOf: (plan: StagePlan) => YamlPath,
  problems: PlacedProblem[],
): void {
  for (const plan of stages) {
    for (const [name, binding] of Object.entries(plan.bindings)) {
      if (plan.stage.inputs[name]?.optional && !Object.hasOwn(plan.needs, name)) continue;
      const conditional = referencesOf(binding).map((reference) => unsureSource(reference, plan));
      const [source] = conditional;
      if (!source || conditional.includes(undefined)) continue;
      problems.push({
        at: [...atOf(plan), "in", name],
        message:
          `input "${name}" is required, but stage "${source.path}" runs only when its "when" has a value: ` +
          `"${plan.path}" must have the same "when"`,
      });
    }
  }
}

/** Returns the stage with another `when` than `reader` that a reference reads; undefined if there is none. */
function unsureSource(reference: Reference, reader: StagePlan): StagePlan | undefined {
  const source = reference.from === "stage" ? reference.stage : undefined;
  if (!source?.when || reader.when && sameValue(reader.when, source.when)) return undefined;
  return source;
}

function sameValue(a: Reference, b: Reference): boolean {
  if (a.from === "input" && b.from === "input") return a.name === b.name;
  return a.from === "stage" && b.from === "stage" && a.stage === b.stage && a.port === b.port;
}

/** Returns the entries without the stages that are known not to run; what reads them has no such input. */
export function withoutAbsent(
  entries: readonly EntryPlan[],
  inputs: Readonly<Record<string, string | null>>,
): EntryPlan[] {
  const isGone = (reference: Reference) => reference.from === "stage" && isAbsent(reference.stage, inputs);
  for (const { bindings } of allStages({ entries })) {
    for (const [name, binding] of Object.entries(bindings)) {
      const kept = keptBinding(binding, isGone);
      if (kept) bindings[name] = kept;
      else delete bindings[name];
    }
  }
  return entries.filter((entry) => isBlock(entry) || !isAbsent(entry, inputs));
}

function keptBinding(binding: Binding, isGone: (reference: Reference) => boolean): Binding | undefined {
  if (!referencesOf(binding).some(isGone)) return binding;
  if (binding.kind === "one") return undefined;
  if (binding.kind === "list") {
    const references = binding.references.filter((reference) => !isGone(reference));
    return references.length > 0 ? { kind: "list", references } : undefined;
  }
  const kept = Object.entries(binding.references).filter(([, reference]) => !isGone(reference));
  return kept.length > 0 ? { kind: "map", references: Object.fromEntries(kept) } : undefined;
}
