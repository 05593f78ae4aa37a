/**
 * Sorts a plan so that everything comes after what it reads, and finds cycles.
 * @module
 */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import {
  type EntryPlan,
  isBlock,
  isLoop,
  type Reference,
  referencesOf,
  type StagePlan,
} from "./blueprint.ts";
import type { PlacedProblem } from "./placed_yaml.ts";

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

/** Returns the name of the entry that a stage is, or is in. */
export function entryName(stage: StagePlan): string {
  return stage.block?.name ?? stage.name;
}

/** Returns the stages that must have run before a reference has its value. */
export function stagesOf(reference: Reference | null): StagePlan[] {
  if (reference === null || reference.from === "input" || reference.from === "carry") return [];
  // What a loop carries out of its last iteration, or its best, requires the whole block.
  return reference.from === "next" || reference.from === "best"
    ? [...reference.block.stages]
    : [reference.stage];
}

/** Returns the stages that an entry reads; for a block, its own stages among them. */
export function sourceStages(entry: EntryPlan): StagePlan[] {
  if (!isBlock(entry)) {
    return [...Object.values(entry.bindings).flatMap(referencesOf), entry.when ?? null].flatMap(stagesOf);
  }
  const carried = isLoop(entry) ? [...Object.values(entry.carry), ...Object.values(entry.next)] : [];
  const when = isLoop(entry) && entry.when ? [entry.when.metric.stage] : [];
  return [...entry.stages.flatMap(sourceStages), ...carried.flatMap(stagesOf), ...when];
}
