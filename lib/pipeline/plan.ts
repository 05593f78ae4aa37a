/**
 * Makes a blueprint of a manifest: loads the stages, validates parameters, resolves references, checks ports and order.
 * All problems come out together.
 * @module
 */
import type { ManifestSource, Pointer, Problem } from "./manifest_reader.ts";
import { manifestError } from "./manifest_reader.ts";
import type { BlockPlan, Blueprint, IteratePlan, Reference, StagePlan, StageSource } from "./blueprint.ts";
import { allStages, isBlock } from "./blueprint.ts";
import { emptyLoop, resolveCarried, resolveFigures } from "./loops.ts";
import type { StageEntry } from "./manifest.ts";
import { bindPorts, checkEvery } from "./ports.ts";
import { resolveReference, type Scope } from "./references.ts";
import { publishWarnings } from "./publishing.ts";
import { sortEntries } from "./order.ts";
import { suggestion } from "./suggest.ts";
import type { z } from "zod";
import { phraseOf } from "./zod_phrases.ts";

/** What the command line adds to a manifest. */
export interface PlanOptions {
  readonly seed?: number;
  /** absolute paths; null: not given */
  readonly inputs: Readonly<Record<string, string | null>>;
}

/**
 * The checked plan of `source`.
 * @throws {ManifestError} listing unknown stages, ports, parameters and references, inputs that are missing or of
 * another contract, values that parameters refuse, and cycles
 */
export async function makeBlueprint(
  source: ManifestSource,
  stages: StageSource,
  options: PlanOptions,
): Promise<Blueprint> {
  const { manifest } = source;
  const problems: Problem[] = [];
  const entries = new Map<string, StagePlan | BlockPlan>();
  const known = await stages.list();

  async function stagePlan(
    name: string,
    entry: StageEntry,
    at: Pointer,
    block?: BlockPlan,
  ): Promise<StagePlan | undefined> {
    if (!known.includes(entry.uses)) {
      problems.push({
        at: [...at, "uses"],
        message: `there is no stage program "${entry.uses}"${suggestion(entry.uses, known)}`,
      });
      return undefined;
    }
    const stage = await stages.load(entry.uses);
    if (entry.every !== undefined && block?.kind !== "iterate") {
      problems.push({ at: [...at, "every"], message: `"every" has a meaning inside an iterate block only` });
    }
    const parsed = stage.params.safeParse(entry.with);
    if (!parsed.success) {
      problems.push(...paramProblems(parsed.error.issues, Object.keys(stage.params.shape), at));
    }
    return {
      path: block ? `${block.name}.${name}` : name,
      name,
      stage,
      ...(block ? { block } : {}),
      params: parsed.success ? jsonOf(parsed.data) : {},
      needs: parsed.success ? stage.needs?.(parsed.data) ?? {} : {},
      omits: parsed.success ? stage.omits?.(parsed.data) ?? {} : {},
      bindings: {},
      seedLabel: entry.seed ?? name,
      every: entry.every ?? 1,
    };
  }

  for (const [name, entry] of Object.entries(manifest.stages)) {
    const at: Pointer = ["stages", name];
    if (name === "inputs" || name === "carry") {
      problems.push({ at, message: `"${name}" is a reserved name` });
    }
    if ("uses" in entry) {
      const plan = await stagePlan(name, entry, at);
      if (plan) entries.set(name, plan);
      continue;
    }
    const block: BlockPlan = "foreach" in entry
      ? { kind: "foreach", name, count: entry.foreach.count, stages: [] }
      : emptyLoop(name, entry);
    for (const [inner, e] of Object.entries(entry.stages)) {
      const plan = await stagePlan(inner, e, [...at, "stages", inner], block);
      if (plan) block.stages.push(plan);
    }
    entries.set(name, block);
  }
  // References into entries that could not be made would only repeat the first problem.
  if (problems.some((p) => p.at.at(-1) === "uses")) throw manifestError(source.file, problems, source.place);

  const inputs = Object.keys(manifest.inputs);
  const resolve = (text: string, at: Pointer, block?: BlockPlan, self?: StagePlan): Reference | undefined => {
    const scope: Scope = { inputs, entries, ...(block ? { block } : {}), ...(self?.block ? { self } : {}) };
    const found = resolveReference(text, scope);
    if (!("problem" in found)) return found;
    problems.push({ at, message: found.problem });
    return undefined;
  };

  const loops = Object.entries(manifest.stages).flatMap(([name, entry]) =>
    "iterate" in entry ? [[entries.get(name) as IteratePlan, entry] as const] : []
  );
  for (const [block, entry] of loops) resolveFigures(block, entry, problems);
  for (const [block, entry] of loops) resolveCarried(block, entry, { resolve, problems });
  for (const plan of allStages({ entries: [...entries.values()] })) {
    const at: Pointer = plan.block ? ["stages", plan.block.name, "stages", plan.name] : ["stages", plan.name];
    const top = manifest.stages[plan.block?.name ?? plan.name]!;
    const entry = "uses" in top ? top : top.stages[plan.name]!;
    bindPorts(plan, entry, {
      at,
      resolve: (text, where) => resolve(text, where, plan.block, plan),
      problems,
      inputs: options.inputs,
    });
    checkEvery(plan, at, problems);
  }
  const outputs: Record<string, Reference> = {};
  for (const [name, text] of Object.entries(manifest.outputs)) {
    const found = resolve(text, ["outputs", name]);
    if (!found) continue;
    if (found.from === "all") {
      problems.push({
        at: ["outputs", name],
        message: `"${text}" is a list: name one output, such as one that next carries`,
      });
    }
    outputs[name] = found;
  }
  const { sorted, cycles } = sortEntries(entries);
  problems.push(...cycles);
  if (problems.length > 0) throw manifestError(source.file, problems, source.place);
  return {
    manifest: source.file,
    seed: options.seed ?? manifest.seed,
    inputs: options.inputs,
    entries: sorted,
    outputs,
    keep: manifest.keep,
    warnings: [...unusedInputs(inputs, sorted, outputs), ...publishWarnings(sorted)],
  };
}

function paramProblems(
  issues: readonly z.core.$ZodIssue[],
  known: readonly string[],
  at: Pointer,
): Problem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map((p) => typeof p === "symbol" ? String(p) : p);
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        at: [...at, "with", ...path, key],
        message: `there is no parameter "${key}"${suggestion(key, known)}`,
      }));
    }
    const name = path.length === 0 ? "parameters" : `parameter "${path.join(".")}"`;
    return [{ at: [...at, "with", ...path], message: `${name} ${phraseOf(issue)}` }];
  });
}

/** Parameters as JSON, which is what keys, tasks and lock files hold. */
function jsonOf(params: unknown): Record<string, unknown> {
  return JSON.parse(JSON.stringify(params)) as Record<string, unknown>;
}

function unusedInputs(
  inputs: readonly string[],
  entries: readonly (StagePlan | BlockPlan)[],
  outputs: Readonly<Record<string, Reference>>,
): string[] {
  const used = new Set<string>();
  const add = (r: Reference | null) => r?.from === "input" && used.add(r.name);
  for (const reference of Object.values(outputs)) add(reference);
  for (const entry of entries) {
    if (isBlock(entry) && entry.kind === "iterate") {
      [...Object.values(entry.carry), ...Object.values(entry.next)].forEach(add);
    }
  }
  for (const stage of allStages({ entries })) {
    for (const binding of Object.values(stage.bindings)) {
      (binding.kind === "one" ? [binding.reference] : Object.values(binding.references)).forEach(add);
    }
  }
  return inputs.filter((name) => !used.has(name)).map((name) => `input "${name}" is not used`);
}
