/**
 * Binds the references under `in:` of a stage entry to the stage's input ports, and checks that they fit.
 * @module
 */
import type { Contract, Port } from "@/lib/data/contracts/stage.ts";
import { type Binding, type Reference, referencesOf, type StagePlan } from "./blueprint.ts";
import type { BindingEntry, StageEntry } from "./manifest.ts";
import type { PlacedProblem, YamlPath } from "./placed_yaml.ts";
import { origins } from "./references.ts";
import { unknownName } from "./suggest.ts";

/** What binding needs from the planner. */
interface PortContext {
  readonly at: YamlPath;
  readonly resolve: (text: string, at: YamlPath) => Reference | undefined;
  readonly problems: PlacedProblem[];
  /** null: not given */
  readonly inputs: Readonly<Record<string, string | null>>;
  /** the stage does not run, so that values may be missing */
  readonly isAbsent: boolean;
}

/** Returns the contracts of a port. */
export function contractsOf(port: Port): readonly Contract[] {
  return typeof port.contract === "string" ? [port.contract] : port.contract;
}

/** Returns true if an output is a model, or a directory of models. */
export function givesModels(port: Port): boolean {
  return contractsOf(port).some((contract) => contract === "model" || contract === "models");
}

/** Fills `plan.bindings`; problems are added to those of `context`. */
export function bindPorts(plan: StagePlan, entry: StageEntry, context: PortContext): void {
  const { at, problems } = context;
  const ports = plan.stage.inputs;
  for (const [name, written] of Object.entries(entry.in)) {
    const where = { ...context, at: [...at, "in", name] };
    const port = ports[name];
    if (!port) {
      const message = `stage ${plan.stage.id}: ${unknownName("input", name, Object.keys(ports))}`;
      problems.push({ at: where.at, message });
    } else if (written !== null) {
      const binding = bind(name, port, written, where);
      if (!binding) continue;
      plan.bindings[name] = binding;
      for (const message of bindingProblems(name, plan, binding, context)) {
        problems.push({ at: where.at, message });
      }
    }
  }
  for (const name of Object.keys(ports)) {
    if (!isNeeded(plan, name) || (entry.in[name] ?? null) !== null) continue;
    problems.push({ at, message: `stage "${plan.path}" requires input "${name}"${reason(plan, name)}` });
  }
}

const FORMS = { one: "one value", list: "a list", map: "a map of names to references" } as const;

function bind(
  name: string,
  port: Port,
  written: Exclude<BindingEntry, null>,
  { at, problems, resolve }: PortContext,
): Binding | undefined {
  const form = port.many ?? "one";
  const given = typeof written === "string" ? "one" : Array.isArray(written) ? "list" : "map";
  if (given !== form && !(given === "one" && form === "list")) {
    const found = given === "one" ? `"${written}"` : `a ${given}`;
    problems.push({ at, message: `input "${name}" must be ${FORMS[form]}, got ${found}` });
    if (given !== "one") return undefined;
  }
  const entries: [string | number, string][] = typeof written === "string"
    ? [[-1, written]]
    : Array.isArray(written)
    ? written.map((text, i) => [i, text])
    : Object.entries(written);
  const resolved = entries.map(([key, text]) =>
    [key, resolve(text, given === "one" ? at : [...at, key])] as const
  );
  const found = resolved.filter((pair): pair is readonly [string | number, Reference] =>
    pair[1] !== undefined
  );
  if (found.length < resolved.length || given !== form && form === "map") return undefined;
  if (form === "map") return { kind: "map", references: Object.fromEntries(found) };
  const references = found.map(([, reference]) => reference);
  return form === "list" ? { kind: "list", references } : { kind: "one", reference: references[0]! };
}

/** Returns true if the input must be given: always, or with these parameters. */
function isNeeded({ stage, needs }: StagePlan, name: string): boolean {
  return !stage.inputs[name]!.optional || Object.hasOwn(needs, name);
}

/** Returns the setting that requires an optional input, as the end of a message. */
function reason({ needs }: StagePlan, name: string): string {
  return Object.hasOwn(needs, name) ? `, for ${needs[name]}` : "";
}

function bindingProblems(
  name: string,
  plan: StagePlan,
  binding: Binding,
  { inputs, isAbsent }: PortContext,
): string[] {
  const isRequired = isNeeded(plan, name) && !isAbsent, references = referencesOf(binding);
  const required = `input "${name}" is required${reason(plan, name)}`;
  const problems = references.flatMap((reference) => [
    ...(reference.from === "all" && binding.kind !== "list"
      ? [
        `input "${name}" must be one value, got the list of all outputs of block "${
          reference.stage.block!.name
        }"`,
      ]
      : []),
    ...(isRequired && reference.from === "input" && inputs[reference.name] === null
      ? [`input "${reference.name}" is not given: --input ${reference.name}=PATH`]
      : []),
    ...(isRequired && startsFromNull(reference)
      ? [`${required}, but carry.${reference.name} starts from null`]
      : []),
    ...contractProblems(name, plan, reference),
  ]);
  const sources = references.flatMap((reference) => origins(reference));
  if (isRequired && references.length > 0 && !references.some(mayBeGiven)) {
    const list = sources.map(({ stage, port }) => `${stage.path}.${port} (${stage.omits[port]})`).join(", ");
    problems.push(`${required}, but its source is not written: ${list}`);
  }
  return problems;
}

/** Returns true if the reference is a carried value that may be the initial one, and that is null. */
function startsFromNull(
  reference: Reference,
): reference is Extract<Reference, { readonly from: "carry" | "best" }> {
  const mayBeInitial = reference.from === "carry" ||
    reference.from === "best" && reference.block.best?.take === "carry";
  return mayBeInitial && reference.block.carry[reference.name] === null;
}

/** Returns true unless every stage output behind the reference is omitted; inputs of the manifest are checked elsewhere. */
function mayBeGiven(reference: Reference): boolean {
  const from = origins(reference);
  return from.length === 0 || from.some(({ stage, port }) => !Object.hasOwn(stage.omits, port));
}

function contractProblems(name: string, plan: StagePlan, reference: Reference): string[] {
  const accepted = contractsOf(plan.stage.inputs[name]!);
  return origins(reference).flatMap(({ stage, port }) => {
    const given = contractsOf(stage.stage.outputs[port]!);
    if (given.some((contract) => accepted.includes(contract))) return [];
    const found = `${stage.path}.${port}, which is ${given.join(" or ")}`;
    return [`input "${name}" must be ${accepted.join(" or ")}, got ${found}`];
  });
}

/** Checks that a stage of a loop reads, in its iterations, only stages that run in all of these iterations. */
export function checkEvery(plan: StagePlan, at: YamlPath, problems: PlacedProblem[]): void {
  for (const [name, binding] of Object.entries(plan.bindings)) {
    for (const reference of referencesOf(binding)) {
      if (reference.from !== "stage" || reference.stage.block !== plan.block || !plan.block) continue;
      const { every, name: other } = reference.stage;
      if (plan.every % every === 0) continue;
      const message =
        `"${other}" runs every ${every} iterations: "${plan.name}" cannot read it every ${plan.every}`;
      problems.push({ at: [...at, "in", name], message });
    }
  }
  if (plan.every === 1 || plan.block?.kind !== "iterate") return;
  const carried = Object.entries(plan.block.next).filter(([, r]) => r.from === "stage" && r.stage === plan)
    .map(([name]) => `next.${name}`);
  if (carried.length === 0) return;
  const verb = carried.length === 1 ? "requires" : "require";
  problems.push({
    at: [...at, "every"],
    message: `${carried.join(", ")} ${verb} "${plan.name}" in every iteration`,
  });
}
