/** The diagram of the groups of `lib` in docs/architecture.md, from the import table that the lint plugin enforces. @module */
import { GROUPS, ROOMS } from "../lint/rooms.ts";

/**
 * Returns a Mermaid diagram of `lib`'s groups and `stages`. An arrow is left out if other arrows lead to the same group, so
 * a group may import exactly those that it reaches by following arrows.
 */
export function groupsDiagram(): string {
  const imports = new Map(Object.entries(GROUPS));
  imports.set("stages", importsOfStages());
  const arrows = [...imports].flatMap(([from, to]) =>
    to.filter((group) => !to.some((other) => imports.get(other)!.includes(group)))
      .map((group) => `  ${from} --> ${group}`)
  );
  const alone = [...imports.keys()].filter((group) =>
    imports.get(group)!.length === 0 && ![...imports.values()].some((to) => to.includes(group))
  );
  return ["```mermaid", "flowchart TD", ...arrows.sort(), ...alone.map((group) => `  ${group}`), "```"].join(
    "\n",
  );
}

/** Returns the groups that stages may import; `std` is imported by package name instead. */
function importsOfStages(): string[] {
  const allowed = ROOMS["stages"]!;
  if (!("allBut" in allowed)) throw new TypeError("ROOMS must list for stages what they may not import");
  return Object.keys(GROUPS).filter((group) => group !== "std" && !allowed.allBut.includes(group));
}
