/**
 * Makes a blueprint from a manifest: loads the stages, validates parameters, resolves references, checks ports and order.
 * All problems are reported together.
 * @module
 */
import {
  allStages,
  type BlockPlan,
  type Blueprint,
  type EntryPlan,
  isBlock,
  isLoop,
  type Reference,
  referencesOf,
  type StagePlan,
  type StageSource,
} from "./blueprint.ts";
import { emptyLoop, resolveCarried, resolveMetrics } from "./loops.ts";
import type { IterateEntry, StageEntry } from "./manifest.ts";
import type { ManifestSource } from "./manifest_reader.ts";
import { sortEntries } from "./order.ts";
import { placedError, type PlacedProblem, type YamlPath } from "./placed_yaml.ts";
import { bindPorts, checkEvery } from "./ports.ts";
import { publishWarnings } from "./publishing.ts";
import { resolveReference } from "./references.ts";
import { unknownName } from "./suggest.ts";
import { checkParams } from "./zod_phrases.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** What the command line adds to a manifest. */
export interface PlanOptions {
  readonly seed?: number;
  /** absolute paths; null: not given */
  readonly inputs: Readonly<Record<string, string | null>>;
}

/**
 * Returns the checked plan of `source`.
 * @throws {ManifestError} listing unknown stages, ports, parameters and references, inputs that are missing or have
 * another contract, invalid values of parameters, and cycles
 */
export async function makeBlueprint(
  source: ManifestSource,
  stages: StageSource,
  options: PlanOptions,
): Promise<Blueprint> {
  const { manifest } = source;
  const planner = new Planner(source, stages, options.inputs);
  await planner.addEntries();
  // References to entries that could not be planned would only repeat the first problem.
  planner.throwProblems(({ at }) => at.at(-1) === "uses");
  planner.resolveLoops();
  planner.bindStages();
  const outputs = planner.resolveOutputs();
  const { sorted, cycles } = sortEntries(planner.entries);
  append(planner.problems, cycles);
  planner.throwProblems(() => true);
  const plan = { entries: sorted, outputs };
  return {
    manifest: source.file,
    seed: options.seed ?? manifest.seed,
    inputs: options.inputs,
    ...plan,
    keep: manifest.keep,
    warnings: [...unusedInputs(Object.keys(manifest.inputs), plan), ...publishWarnings(plan)],
  };
}

/** A plan in the making; each step adds its problems. */
class Planner {
  readonly entries = new Map<string, EntryPlan>();
  readonly problems: PlacedProblem[] = [];

  constructor(
    readonly source: ManifestSource,
    readonly stages: StageSource,
    readonly inputs: PlanOptions["inputs"],
  ) {}

  /** @throws {ManifestError} with all problems, if one of them matches */
  throwProblems(matches: (problem: PlacedProblem) => boolean): void {
    if (!this.problems.some(matches)) return;
    throw placedError("manifest", this.source.file, this.problems, this.source.place);
  }

  /** Plans all entries without their references. */
  async addEntries(): Promise<void> {
    for (const [name, entry] of Object.entries(this.source.manifest.stages)) {
      const at: YamlPath = ["stages", name];
      if (name === "inputs" || name === "carry") {
        this.problems.push({ at, message: `"${name}" is a reserved name` });
      }
      if ("uses" in entry) {
        const plan = await this.#planStage(name, entry, at);
        if (plan) this.entries.set(name, plan);
        continue;
      }
      const block: BlockPlan = "foreach" in entry
        ? { kind: "foreach", name, count: entry.foreach.count, stages: [] }
        : emptyLoop(name, entry);
      for (const [inner, e] of Object.entries(entry.stages)) {
        const plan = await this.#planStage(inner, e, [...at, "stages", inner], block);
        if (plan) block.stages.push(plan);
      }
      this.entries.set(name, block);
    }
  }

  async #planStage(
    name: string,
    entry: StageEntry,
    at: YamlPath,
    block?: BlockPlan,
  ): Promise<StagePlan | undefined> {
    const known = await this.stages.list();
    if (!known.includes(entry.uses)) {
      this.problems.push({ at: [...at, "uses"], message: unknownName("stage program", entry.uses, known) });
      return undefined;
    }
    const stage = await this.stages.load(entry.uses);
    if (entry.every !== undefined && block?.kind !== "iterate") {
      this.problems.push({
        at: [...at, "every"],
        message: `"every" is allowed only inside an iterate block`,
      });
    }
    const checked = checkParams(stage, entry.with);
    const params = "params" in checked ? checked.params : undefined;
    for (const { path, message } of "problems" in checked ? checked.problems : []) {
      this.problems.push({ at: [...at, "with", ...path], message });
    }
    return {
      path: block ? `${block.name}.${name}` : name,
      name,
      stage,
      ...(block ? { block } : {}),
      // As JSON, which is what keys, tasks and lock files hold.
      params: JSON.parse(JSON.stringify(params ?? {})) as Record<string, unknown>,
      needs: params && stage.needs?.(params) || {},
      omits: params && stage.omits?.(params) || {},
      bindings: {},
      seedLabel: entry.seed ?? name,
      every: entry.every ?? 1,
    };
  }

  /** Resolves metrics and carried values of loops: all metrics first, as any reference may name a best iteration. */
  resolveLoops(): void {
    const loops = [...this.entries.values()].filter(isLoop)
      .map((block) => [block, this.source.manifest.stages[block.name] as IterateEntry] as const);
    const outside = [...this.entries.values()].flatMap((entry) => isBlock(entry) ? [] : [entry]);
    for (const [block, entry] of loops) resolveMetrics(block, entry, outside, this.problems);
    for (const [block, entry] of loops) {
      resolveCarried(block, entry, (...args) => this.#resolve(...args), this.problems);
    }
  }

  /** Binds the inputs of all stages. */
  bindStages(): void {
    for (const plan of allStages({ entries: [...this.entries.values()] })) {
      const { block, name } = plan;
      const top = this.source.manifest.stages[block?.name ?? name]!;
      const at: YamlPath = block ? ["stages", block.name, "stages", name] : ["stages", name];
      bindPorts(plan, "uses" in top ? top : top.stages[name]!, {
        at,
        resolve: (text, where) => this.#resolve(text, where, block, plan),
        problems: this.problems,
        inputs: this.inputs,
      });
      checkEvery(plan, at, this.problems);
    }
  }

  /** Returns the references of the manifest's `outputs:`. */
  resolveOutputs(): Record<string, Reference> {
    const outputs: Record<string, Reference> = {};
    for (const [name, text] of Object.entries(this.source.manifest.outputs)) {
      const at = ["outputs", name];
      const found = this.#resolve(text, at);
      if (found?.from === "all") {
        this.problems.push({ at, message: `"${text}" is a list: an output must be one value` });
      }
      if (found) outputs[name] = found;
    }
    return outputs;
  }

  #resolve(text: string, at: YamlPath, block?: BlockPlan, reader?: StagePlan): Reference | undefined {
    const inputs = Object.keys(this.source.manifest.inputs);
    const self = reader?.block ? reader : undefined;
    const found = resolveReference(text, { inputs, entries: this.entries, block, self });
    if (!("problem" in found)) return found;
    this.problems.push({ at, message: found.problem });
    return undefined;
  }
}

function unusedInputs(
  inputs: readonly string[],
  { entries, outputs }: Pick<Blueprint, "entries" | "outputs">,
): string[] {
  const references = [
    ...Object.values(outputs),
    ...entries.filter(isLoop).flatMap(({ carry, next }) => [...Object.values(carry), ...Object.values(next)]),
    ...allStages({ entries }).flatMap(({ bindings }) => Object.values(bindings).flatMap(referencesOf)),
  ];
  const used = new Set(references.map((reference) => reference?.from === "input" ? reference.name : ""));
  return inputs.filter((name) => !used.has(name)).map((name) => `input "${name}" is not used`);
}
