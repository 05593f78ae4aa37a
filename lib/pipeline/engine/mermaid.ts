/** Draws a plan as a Mermaid flowchart. @module */
import {
  allStages,
  type Blueprint,
  isBlock,
  type Reference,
  referencesOf,
  type StagePlan,
} from "./blueprint.ts";
import { sourceStages, stagesOf } from "./order.ts";

/** Returns the flowchart: a node per stage, a frame per block, and an arrow from each stage to those that read from
 * it, dotted into the next iteration. */
export function mermaidText({ entries }: Pick<Blueprint, "entries">): string {
  const lines = entries.flatMap((entry) => {
    if (!isBlock(entry)) return [nodeLine(entry)];
    const repeats = entry.kind === "foreach" ? "copies" : "iterations";
    const title = `${entry.name}: ${entry.count} ${repeats}`;
    return [
      `subgraph ${identifier(entry.name)} ["${title}"]`,
      ...entry.stages.map((stage) => `  ${nodeLine(stage)}`),
      "end",
    ];
  });
  const arrows = allStages({ entries }).flatMap((stage) => [
    ...arrowsOf(stage, sourceStages(stage)),
    ...Object.values(stage.bindings).flatMap(referencesOf).flatMap((reference) =>
      carriedArrows(stage, reference)
    ),
  ]);
  return ["flowchart TD", ...lines, ...new Set(arrows)].map((line, i) => `${i === 0 ? "" : "  "}${line}\n`)
    .join("");
}

function nodeLine({ path, stage }: StagePlan): string {
  return `${identifier(path)}["${path}${path === stage.id ? "" : `<br>${stage.id}`}"]`;
}

function arrowsOf(reader: StagePlan, sources: readonly StagePlan[]): string[] {
  return sources.map((source) => `${identifier(source.path)} --> ${identifier(reader.path)}`);
}

/** Returns the arrows of a carried value: from what gives the first one, and dotted from what gives the next. */
function carriedArrows(reader: StagePlan, reference: Reference): string[] {
  if (reference.from !== "carry") return [];
  const { block, name } = reference, next = stagesOf(block.next[name]!);
  return [
    ...arrowsOf(reader, stagesOf(block.carry[name] ?? null)),
    ...next.map((source) => `${identifier(source.path)} -.-> ${identifier(reader.path)}`),
  ];
}

/** Returns a name that Mermaid takes for a node: its words, such as `end`, and dots are no names. */
function identifier(path: string): string {
  return `s_${path.replace(/\W/g, "_")}`;
}
