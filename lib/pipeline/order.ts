/**
 * Sorts a plan so that everything comes after what it reads from, and finds what reads from itself.
 * @module
 */
import { type BlockPlan, isBlock, type Reference, referencesOf, type StagePlan } from "./blueprint.ts";
import type { Problem } from "./manifest_reader.ts";

/**
 * The entries in an order of execution, and the cycles that forbid one. Where nothing decides, the manifest's order
 * stays. The stages within each block are sorted in place.
 */
export function sortEntries(
  entries: ReadonlyMap<string, StagePlan | BlockPlan>,
): { readonly sorted: (StagePlan | BlockPlan)[]; readonly cycles: Problem[] } {
  const cycles: Problem[] = [];
  for (const block of entries.values()) {
    if (!isBlock(block)) continue;
    const byName = new Map(block.stages.map((stage) => [stage.name, stage]));
    const inner = sort(
      byName,
      (stage) => stageEdges(stage).filter((s) => s.block === block).map((s) => s.name),
    );
    block.stages.splice(0, block.stages.length, ...inner.sorted);
    if (inner.cycle) cycles.push(cycleProblem(["stages", block.name, "stages"], inner.cycle));
  }
  const outer = sort(entries, (entry) => {
    const own = isBlock(entry) ? entry.name : undefined;
    return entryEdges(entry).map((stage) => stage.block?.name ?? stage.name).filter((name) => name !== own);
  });
  if (outer.cycle) cycles.push(cycleProblem(["stages"], outer.cycle));
  return { sorted: outer.sorted, cycles };
}

function cycleProblem(at: readonly string[], cycle: readonly string[]): Problem {
  return {
    at: [...at, cycle[0]!],
    message: `stages must not read from themselves: ${cycle.join(" reads ")}`,
  };
}

function sort<T>(
  items: ReadonlyMap<string, T>,
  edges: (item: T) => readonly string[],
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
    for (const next of edges(items.get(name)!)) visit(next, [...trail, name]);
    state.set(name, "done");
    sorted.push(items.get(name)!);
  };
  for (const name of items.keys()) visit(name, []);
  return cycle ? { sorted, cycle } : { sorted };
}

/** The stages that must have run before a reference has its value. */
export function stagesOf(reference: Reference | null): StagePlan[] {
  if (reference === null || reference.from === "input" || reference.from === "carry") return [];
  // What a loop carries out of its last round, or its best, needs the whole block.
  return reference.from === "next" || reference.from === "best"
    ? [...reference.block.stages]
    : [reference.stage];
}

function stageEdges(stage: StagePlan): StagePlan[] {
  return Object.values(stage.bindings).flatMap((binding) => referencesOf(binding).flatMap(stagesOf));
}

/** The stages that an entry reads from, its own among them. */
export function entryEdges(entry: StagePlan | BlockPlan): StagePlan[] {
  if (!isBlock(entry)) return stageEdges(entry);
  const carried = entry.kind === "iterate"
    ? [...Object.values(entry.carry), ...Object.values(entry.next)]
    : [];
  return [...entry.stages.flatMap(stageEdges), ...carried.flatMap(stagesOf)];
}
