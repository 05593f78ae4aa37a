/**
 * Sorts a plan so that everything comes after what it reads, finds cycles, and selects a part of a plan.
 * @module
 */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import {
  type Blueprint,
  type EntryPlan,
  isBlock,
  isLoop,
  type Reference,
  referencesOf,
  type StagePlan,
} from "./blueprint.ts";
import type { PlacedProblem } from "./placed_yaml.ts";
import { suggestion } from "./suggest.ts";

/**
 * Returns the entries in an order of execution, and the cycles that make one impossible. Where nothing decides, the
 * manifest's order stays. The stages within each block are sorted in place.
 */
export function sortEntries(
  entries: ReadonlyMap<string, EntryPlan>,
): { readonly sorted: EntryPlan[]; readonly cycles: PlacedProblem[] } {
  const cycles: PlacedProblem[] = [];
  const sortAt = <T extends { readonly name: string }>(
    items: Iterable<T>,
    sources: (item: T) => readonly string[],
    at: readonly string[],
  ) => {
    const { sorted, cycle } = sort(new Map([...items].map((item) => [item.name, item])), sources);
    const message = `stages must not read from themselves: ${cycle?.join(" reads ")}`;
    if (cycle) cycles.push({ at: [...at, cycle[0]!], message });
    return sorted;
  };
  for (const block of entries.values()) {
    if (!isBlock(block)) continue;
    const inner = (stage: StagePlan) =>
      sourceStages(stage).filter((s) => s.block === block).map((s) => s.name);
    const sorted = sortAt(block.stages, inner, ["stages", block.name, "stages"]);
    block.stages.length = 0;
    append(block.stages, sorted);
  }
  const sorted = sortAt(
    entries.values(),
    (entry) =>
      sourceStages(entry).map(entryName).filter((name) => name !== (isBlock(entry) ? entry.name : undefined)),
    ["stages"],
  );
  return { sorted, cycles };
}

function sort<T>(
  items: ReadonlyMap<string, T>,
  sources: (item: T) => readonly string[],
): { readonly sorted: T[]; readonly cycle?: string[] } {
  const sorted: T[] = [];
  const state = new Map<string, "open" | "done">();
  let cycle: string[] | undefined;
  const visit = (name: string, trail: readonly string[]) => {
    if (state.get(name) === "done" || cycle) return;
    if (state.get(name) === "open") {
      cycle = [...trail.slice(trail.indexOf(name)), name];
      return;
    }
    state.set(name, "open");
    for (const next of sources(items.get(name)!)) visit(next, [...trail, name]);
    state.set(name, "done");
    sorted.push(items.get(name)!);
  };
  for (const name of items.keys()) visit(name, []);
  return cycle ? { sorted, cycle } : { sorted };
}

/**
 * Returns `blueprint` reduced to the entries `names` and what they read, blocks as a whole; of its outputs, those that
 * come from there. Keys do not change, so a later run of everything uses the results of a run of a part.
 * @throws {UsageError} listing the names that are not an entry
 */
export function partOf(blueprint: Blueprint, names: readonly string[]): Blueprint {
  const entries = new Map(blueprint.entries.map((entry) => [entry.name, entry]));
  const unknown = names.filter((name) => !entries.has(name)).map((name) => {
    const block = entries.get(name.split(".")[0]!);
    return block && isBlock(block)
      ? `"${name}" (in block "${block.name}", which runs as a whole)`
      : `"${name}"${suggestion(name, entries.keys())}`;
  });
  if (unknown.length > 0) {
    throw new UsageError(
      `--to must name stages or blocks of ${blueprint.manifest}, got ${unknown.join("; ")}`,
    );
  }
  const kept = new Set<EntryPlan>();
  const keep = (name: string) => {
    const entry = entries.get(name)!;
    if (kept.has(entry)) return;
    kept.add(entry);
    for (const stage of sourceStages(entry)) keep(entryName(stage));
  };
  names.forEach(keep);
  const isKept = (reference: Reference) =>
    stagesOf(reference).every((stage) => kept.has(entries.get(entryName(stage))!));
  return {
    ...blueprint,
    entries: blueprint.entries.filter((entry) => kept.has(entry)),
    outputs: Object.fromEntries(Object.entries(blueprint.outputs).filter(([, r]) => isKept(r))),
  };
}

/** Returns the name of the entry that a stage is, or is in. */
function entryName(stage: StagePlan): string {
  return stage.block?.name ?? stage.name;
}

/** Returns the stages that must have run before a reference has its value. */
function stagesOf(reference: Reference | null): StagePlan[] {
  if (reference === null || reference.from === "input" || reference.from === "carry") return [];
  // What a loop carries out of its last iteration, or its best, requires the whole block.
  return reference.from === "next" || reference.from === "best"
    ? [...reference.block.stages]
    : [reference.stage];
}

/** Returns the stages that an entry reads; for a block, its own stages among them. */
function sourceStages(entry: EntryPlan): StagePlan[] {
  if (!isBlock(entry)) return Object.values(entry.bindings).flatMap(referencesOf).flatMap(stagesOf);
  const carried = isLoop(entry) ? [...Object.values(entry.carry), ...Object.values(entry.next)] : [];
  const when = isLoop(entry) && entry.when ? [entry.when.metric.stage] : [];
  return [...entry.stages.flatMap(sourceStages), ...carried.flatMap(stagesOf), ...when];
}
