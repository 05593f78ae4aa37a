/** Names a reward after what it is: its members, how they are combined, and its guards. @module */
import type { FinishedNode } from "@/lib/data/contracts/events.ts";
import { counted, significant } from "./format.ts";

const COMBINED: Readonly<Record<string, string>> = {
  mean: "mean of",
  min: "minimum of",
  lcb: "mean minus standard deviation of",
  soup: "averaged weights of",
};

/** Guards by their parameter. */
const GUARDS: readonly (readonly [param: string, name: string])[] = [
  ["floor", "floor"],
  ["floor_both", "floor on both"],
  ["token_cap", "token cap"],
  ["eos_bound", "EOS bound"],
];

/**
 * Returns the name of the reward that a stage built: `mean of 4 members, floor −4, token cap 1, EOS bound 10`, or for one SFT model
 * without guards `log π_SFT − log π_base of one SFT model (the paper's reward)`.
 */
export function rewardName({ params, inputs }: Pick<FinishedNode, "params" | "inputs">): string {
  const { members: given } = inputs, members = given === undefined ? 1 : [given].flat().length;
  const guards = GUARDS.flatMap(([param, name]) => {
    const value = params[param];
    return typeof value === "number" ? [`${name} ${significant(value)}`] : [];
  });
  const norm = params.length_norm;
  if (typeof norm === "string" && norm !== "none") guards.push(`divided by length (${norm})`);
  const combined = members === 1
    ? "log π_SFT − log π_base of one SFT model"
    : `${COMBINED[String(params.combine)] ?? "mean of"} ${counted(members, "member")}`;
  if (members === 1 && guards.length === 0) return `${combined} (the paper’s reward)`;
  return [combined, ...guards].join(", ");
}
