/**
 * Checks that what selects an iteration or stops a loop does not give the result as well: the best of many iterations on some
 * prompts is better there than on others (selection on the test set).
 * @module
 */
import {
  type EntryPlan,
  isBlock,
  isLoop,
  type Reference,
  referencesOf,
  type StagePlan,
} from "./blueprint.ts";
import type { PlacedProblem } from "./placed_yaml.ts";

/** What a stage's metrics are measured on, by input port. */
interface Evidence {
  readonly port: string;
  readonly source: string;
}

/**
 * Adds a problem for every prompt set, set of demonstrations or audit model that an evaluation outside of loops shares with the
 * evaluation that decides a loop's best iteration or end.
 */
export function checkSelection(
  entries: readonly EntryPlan[],
  inputs: Readonly<Record<string, string | null>>,
  problems: PlacedProblem[],
): void {
  const results = entries.flatMap((entry) =>
    !isBlock(entry) && entry.stage.role === "evaluate" ? [entry] : []
  );
  for (const loop of entries.filter(isLoop)) {
    const decisions = [
      { metric: loop.best?.metric, what: "selects its best iteration" },
      { metric: loop.until?.metric, what: "ends" },
    ];
    for (const { metric, what } of decisions) {
      if (metric?.stage.stage.role !== "evaluate") continue;
      const used = new Map(evidenceOf(metric.stage, inputs).map(({ source, port }) => [source, port]));
      for (const result of results) {
        for (const { port, source } of evidenceOf(result, inputs).filter((one) => used.has(one.source))) {
          problems.push({
            at: ["stages", result.name, "in", port],
            message:
              `input "${port}" must differ from that of "${metric.stage.path}", by which loop "${loop.name}" ${what}, ` +
              `got ${source} for both (selection_fraction of tokenize splits the evaluation prompts in two)`,
          });
        }
      }
    }
  }
}

function evidenceOf(
  plan: StagePlan,
  inputs: Readonly<Record<string, string | null>>,
): Evidence[] {
  return Object.entries(plan.bindings).flatMap(([port, binding]) =>
    plan.stage.inputs[port]?.evidence
      ? referencesOf(binding).map((reference) => ({ port, source: sourceName(reference, inputs) }))
      : []
  );
}

/** Returns a name that is equal for equal data: an input's path, or an output. */
function sourceName(reference: Reference, inputs: Readonly<Record<string, string | null>>): string {
  switch (reference.from) {
    case "input":
      return inputs[reference.name] ?? `inputs.${reference.name}`;
    case "stage":
    case "all":
      return `${reference.stage.path}.${reference.port}`;
    default:
      return `${reference.block.name}.${reference.name}`;
  }
}
