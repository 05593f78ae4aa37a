/** Draws a plan as a Mermaid flowchart. @module */
import { allStages, type Blueprint, isBlock, type StagePlan } from "./blueprint.ts";
import { sourceStages } from "./order.ts";

/** Returns the flowchart: a node per stage, a frame per block, and an arrow from each stage to those that read from it. */
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
  const arrows = allStages({ entries }).flatMap((stage) => arrowsOf(stage, sourceStages(stage)));
  return ["flowchart TD", ...lines, ...new Set(arrows)].map((line, i) => `${i === 0 ? "" : "  "}${line}\n`)
    .join("");
}

function nodeLine({ path, stage }: StagePlan): string {
  return `${identifier(path)}["${path}${path === stage.id ? "" : `<br>${stage.id}`}"]`;
}

function arrowsOf(reader: StagePlan, sources: readonly StagePlan[]): string[] {
  return sources.map((source) => `${identifier(source.path)} --> ${identifier(reader.path)}`);
}

/** Returns a name that Mermaid takes for a node: its words, such as `end`, and dots are no names. */
function identifier(path: string): string {
  return `s_${path.replace(/\W/g, "_")}`;
}
