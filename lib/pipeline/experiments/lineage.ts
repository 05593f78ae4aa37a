/**
 * The stages that made a model, and therefore its cost. In: a plan. Out: names of models and of stages.
 * @module
 */
import {
  allStages,
  type Blueprint,
  type Reference,
  referencesOf,
  type StagePlan,
} from "@/lib/pipeline/engine/blueprint.ts";
import { contractsOf } from "@/lib/pipeline/engine/ports.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** Returns the models that the evaluations outside the loops of `blueprint` compare, by name. */
export function evaluatedModels(blueprint: Blueprint): ReadonlyMap<string, Reference> {
  const models = new Map<string, Reference>();
  for (const plan of allStages(blueprint)) {
    const binding = plan.stage.role === "evaluate" && plan.block === undefined
      ? plan.bindings.models
      : undefined;
    if (binding?.kind !== "map") continue;
    for (const [name, reference] of Object.entries(binding.references)) models.set(name, reference);
  }
  return models;
}

/**
 * Returns the paths of the stages that made `model`, in the plan's order, back to the inputs. Inputs of metrics do not
 * count: continued SFT reads only its number of updates from PPO's. The best iteration of a loop needs the evaluation that
 * chose it.
 */
export function stagesBehind(blueprint: Blueprint, model: string): ReadonlySet<string> {
  const found = new Set<string>();
  const start = evaluatedModels(blueprint).get(model);
  const seen = new Set<string>();
  const queue: Reference[] = start === undefined ? [] : [start];
  for (let reference = queue.pop(); reference !== undefined; reference = queue.pop()) {
    if (reference.from === "input") continue;
    if (reference.from === "stage" || reference.from === "all") {
      const { stage, port } = reference;
      const counts = !contractsOf(stage.stage.outputs[port]!).includes("metrics@1");
      if (counts) append(queue, enter(stage, found));
      continue;
    }
    const { block, name, from } = reference;
    const id = `${block.name}.${name}.${from === "best"}`;
    if (seen.has(id)) continue;
    seen.add(id);
    const first = block.carry[name];
    const next = block.next[name];
    append(queue, [first, next].filter((r) => r !== undefined && r !== null));
    if (from === "best" && block.best) append(queue, enter(block.best.metric.stage, found));
  }
  return new Set(allStages(blueprint).map(({ path }) => path).filter((path) => found.has(path)));
}

/** Returns the references of `plan` the first time, later nothing. */
function enter(plan: StagePlan, found: Set<string>): readonly Reference[] {
  if (found.has(plan.path)) return [];
  found.add(plan.path);
  return Object.values(plan.bindings).flatMap(referencesOf);
}
