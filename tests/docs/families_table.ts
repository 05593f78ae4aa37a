/** The table of model families in docs/families.md, from `FAMILIES`. @module */
import { FAMILIES } from "@/lib/model/models/families.ts";
import { table } from "./markdown.ts";

/** Returns the table in Markdown. */
export function familiesTable(): string {
  const rows = Object.entries(FAMILIES).map(([type, { features, rejected }]) => [
    `\`${type}\``,
    features,
    rejected,
  ]);
  return table(["`model_type`", "what differs", "rejected"], rows);
}
