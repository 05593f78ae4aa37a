/**
 * Parameters whose value depends on what else is given: `{ if_given: [inputs.checker, eval.checker], then: 0, else: 0.2 }`.
 * They are decided when a run is planned, so that keys hold the value and not the condition.
 * @module
 */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import type { Manifest, StageEntry } from "./manifest.ts";
import type { PlacedProblem, YamlPath } from "./placed_yaml.ts";
import { unknownName } from "./suggest.ts";

/** What decides conditions. */
export interface GivenContext {
  readonly manifest: Pick<Manifest, "inputs" | "stages">;
  /** absolute paths by the manifest's input; null: not given */
  readonly inputs: Readonly<Record<string, string | null>>;
}

/** Returns the parameters `written` with every condition replaced by one of its values. Problems are added to `problems`. */
export function decidedParams(
  written: StageEntry["with"],
  context: GivenContext,
  at: YamlPath,
  problems: PlacedProblem[],
): StageEntry["with"] {
  return Object.fromEntries(
    Object.entries(written).map(([name, value]) => {
      if (!isCondition(value)) return [name, value];
      const { if_given: names, then, else: other, ...rest } = value, place = [...at, name];
      const found = [names].flat().map((text) => isGiven(text, context));
      const issues = found.flatMap((one) => typeof one === "string" ? [one] : []);
      if (found.length === 0 || then === undefined || other === undefined || Object.keys(rest).length > 0) {
        issues.push(`parameter "${name}": a condition must have the keys if_given, then and else`);
      }
      append(problems, issues.map((message) => ({ at: place, message })));
      return [name, found.includes(true) ? then! : other!];
    }),
  );
}

type Value = StageEntry["with"][string];

function isCondition(value: Value): value is { readonly [key: string]: Value } {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.hasOwn(value, "if_given");
}

/** Returns whether an input or a parameter is given, or the problem with its name. */
function isGiven(text: Value | undefined, { manifest, inputs }: GivenContext): boolean | string {
  const parts = typeof text === "string" ? text.split(".") : [];
  const [first, second, third] = parts;
  if (first === "inputs" && second !== undefined && third === undefined) {
    if (!Object.hasOwn(manifest.inputs, second)) {
      return unknownName("input", second, Object.keys(manifest.inputs));
    }
    return (inputs[second] ?? null) !== null;
  }
  const top = first === undefined ? undefined : manifest.stages[first];
  const entry = top === undefined || "uses" in top ? top : top.stages[second ?? ""];
  const param = top !== undefined && "uses" in top ? second : third;
  if (entry === undefined || param === undefined || parts.length > 3) {
    return `if_given must name inputs.NAME or STAGE.PARAM, got ${JSON.stringify(text)}`;
  }
  const value = (entry as StageEntry).with[param] ?? null;
  return value !== null && value !== "";
}
