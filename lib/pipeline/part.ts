/** A part of a plan: what was asked for, and all that it reads from. @module */
import { UsageError } from "@/lib/tensor/errors.ts";
import { type BlockPlan, type Blueprint, isBlock, type StagePlan } from "./blueprint.ts";
import { entryEdges, stagesOf } from "./order.ts";
import { suggestion } from "./suggest.ts";

/**
 * `blueprint` as far as the entries `names` and what they read from, blocks whole; of its outputs, those that come from there.
 * Keys do not change, so a run of everything goes on from a run of a part.
 * @throws {UsageError} listing the names that are no stage and no block outside of blocks
 */
export function partOf(blueprint: Blueprint, names: readonly string[]): Blueprint {
  const entries = new Map(blueprint.entries.map((entry) => [entry.name, entry]));
  const unknown = names.filter((name) => !entries.has(name)).map((name) => {
    const block = entries.get(name.split(".")[0]!);
    return `"${name}"${
      block && isBlock(block)
        ? ` is a part of "${block.name}", which runs whole`
        : suggestion(name, entries.keys())
    }`;
  });
  if (unknown.length > 0) {
    throw new UsageError(
      `Cannot run a part of ${blueprint.manifest} as --to must name stages or blocks of it: ${
        unknown.join("; ")
      }`,
    );
  }
  const kept = new Set<StagePlan | BlockPlan>();
  const keep = (name: string) => {
    const entry = entries.get(name)!;
    if (kept.has(entry)) return;
    kept.add(entry);
    for (const stage of entryEdges(entry)) keep(entryName(stage));
  };
  names.forEach(keep);
  return {
    ...blueprint,
    entries: blueprint.entries.filter((entry) => kept.has(entry)),
    outputs: Object.fromEntries(
      Object.entries(blueprint.outputs).filter(([, reference]) =>
        stagesOf(reference).every((stage) => kept.has(entries.get(entryName(stage))!))
      ),
    ),
  };
}

/** The entry that a stage is, or is in. */
function entryName(stage: StagePlan): string {
  return stage.block?.name ?? stage.name;
}
