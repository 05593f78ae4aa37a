/**
 * Binds what a stage entry says under `in:` to the stage's input ports, and checks that both fit.
 * @module
 */
import type { Contract, Port } from "@/lib/contracts/stage.ts";
import { type Binding, type Reference, referencesOf, type StagePlan } from "./blueprint.ts";
import type { BindingEntry, StageEntry } from "./manifest.ts";
import type { Pointer, Problem } from "./manifest_reader.ts";
import { origins } from "./references.ts";
import { suggestion } from "./suggest.ts";

interface PortContext {
  readonly at: Pointer;
  readonly resolve: (text: string, at: Pointer) => Reference | undefined;
  readonly problems: Problem[];
  /** null: not given */
  readonly inputs: Readonly<Record<string, string | null>>;
}

/** The contracts that a port takes or gives. */
export function contractsOf(port: Port): readonly Contract[] {
  return typeof port.contract === "string" ? [port.contract] : port.contract;
}

/** Whether what an output gives is a model, or several in one directory. */
export function givesModels(port: Port): boolean {
  return contractsOf(port).some((contract) => contract === "model" || contract === "models");
}

/** Fills `plan.bindings`; problems are added to those of `context`. */
export function bindPorts(plan: StagePlan, entry: StageEntry, context: PortContext): void {
  const { at, problems } = context;
  const ports = plan.stage.inputs;
  for (const [name, written] of Object.entries(entry.in)) {
    const where = [...at, "in", name];
    const port = ports[name];
    if (!port) {
      const message = `stage ${plan.stage.id} has no input "${name}"${suggestion(name, Object.keys(ports))}`;
      problems.push({ at: where, message });
    } else if (written !== null) {
      const binding = bind(name, port, written, { ...context, at: where });
      if (binding) {
        plan.bindings[name] = binding;
        checkBinding(name, plan, binding, { ...context, at: where });
      }
    }
  }
  const missing = Object.keys(ports).filter((name) =>
    isNeeded(plan, name) && (entry.in[name] ?? null) === null
  );
  for (const name of missing) {
    problems.push({ at, message: `stage "${plan.path}" needs input "${name}" under "in"${why(plan, name)}` });
  }
}

function bind(
  name: string,
  port: Port,
  written: Exclude<BindingEntry, null>,
  context: PortContext,
): Binding | undefined {
  const { at, problems, resolve } = context;
  if (typeof written === "string") {
    const reference = resolve(written, at);
    if (!reference) return undefined;
    if (port.many === "map") {
      problems.push({
        at,
        message: `input "${name}" takes a map of names to references: it is "${written}"`,
      });
      return undefined;
    }
    return port.many === "list" ? { kind: "list", references: [reference] } : { kind: "one", reference };
  }
  if (Array.isArray(written)) {
    if (port.many !== "list") {
      problems.push({
        at,
        message: `input "${name}" takes ${port.many === "map" ? "a map" : "one value"}: it is a list`,
      });
      return undefined;
    }
    const references = written.map((text, i) => resolve(text, [...at, i]));
    return references.some((r) => !r) ? undefined : { kind: "list", references: references as Reference[] };
  }
  if (port.many !== "map") {
    problems.push({
      at,
      message: `input "${name}" takes ${port.many === "list" ? "a list" : "one value"}: it is a map`,
    });
    return undefined;
  }
  const pairs = Object.entries(written).map(([key, text]) => [key, resolve(text, [...at, key])] as const);
  if (pairs.some(([, r]) => !r)) return undefined;
  return { kind: "map", references: Object.fromEntries(pairs) as Record<string, Reference> };
}

/** Whether the input must be given: always, or with these parameters. */
function isNeeded({ stage, needs }: StagePlan, name: string): boolean {
  return !stage.inputs[name]!.optional || Object.hasOwn(needs, name);
}

/** The setting that makes an optional input a needed one, as the end of a message. */
function why({ needs }: StagePlan, name: string): string {
  return Object.hasOwn(needs, name) ? `, for ${needs[name]}` : "";
}

function checkBinding(name: string, plan: StagePlan, binding: Binding, context: PortContext): void {
  const { at, problems, inputs } = context;
  const wanted = contractsOf(plan.stage.inputs[name]!), needed = isNeeded(plan, name);
  for (const reference of referencesOf(binding)) {
    if (reference.from === "all" && binding.kind !== "list") {
      problems.push({
        at,
        message: `input "${name}" takes one value: the outputs of block "${
          reference.stage.block!.name
        }" are a list`,
      });
    }
    if (reference.from === "input" && inputs[reference.name] === null && needed) {
      problems.push({
        at,
        message: `input "${reference.name}" is not given: --input ${reference.name}=PATH`,
      });
    }
    // What the best round started from may be what the first round started from.
    const fromStart = reference.from === "carry" ||
      reference.from === "best" && reference.block.best?.take === "carry";
    if (fromStart && reference.block.carry[reference.name] === null && needed) {
      problems.push({
        at,
        message: `input "${name}" is needed${why(plan, name)}, but carry.${reference.name} starts from null`,
      });
    }
    for (const { stage, port: outputName } of origins(reference)) {
      const given = contractsOf(stage.stage.outputs[outputName]!);
      if (given.some((contract) => wanted.includes(contract))) continue;
      problems.push({
        at,
        message: `input "${name}" takes ${wanted.join(" or ")}: ${stage.path}.${outputName} is ${
          given.join(" or ")
        }`,
      });
    }
  }
  if (needed) checkWritten(name, plan, binding, context);
}

/** Of the outputs that a needed input reads, one must be written. */
function checkWritten(name: string, plan: StagePlan, binding: Binding, { at, problems }: PortContext): void {
  const references = referencesOf(binding), sources = references.flatMap((reference) => origins(reference));
  const isWritten = ({ stage, port }: typeof sources[number]) => !Object.hasOwn(stage.omits, port);
  // What comes from no stage is an input of the manifest, looked at already.
  const mayBeGiven = (reference: Reference) => {
    const from = origins(reference);
    return from.length === 0 || from.some(isWritten);
  };
  if (references.length === 0 || references.some(mayBeGiven)) return;
  const list = sources.map(({ stage, port }) => `${stage.path}.${port} (${stage.omits[port]})`).join(", ");
  problems.push({
    at,
    message: `input "${name}" is needed${why(plan, name)}, but what it reads is not written: ${list}`,
  });
}

/** Within a round, a stage may read one that runs in fewer rounds only if it runs in no more rounds itself. */
export function checkEvery(plan: StagePlan, at: Pointer, problems: Problem[]): void {
  for (const [name, binding] of Object.entries(plan.bindings)) {
    for (const reference of referencesOf(binding)) {
      if (reference.from !== "stage" || reference.stage.block !== plan.block || !plan.block) continue;
      if (plan.every % reference.stage.every === 0) continue;
      problems.push({
        at: [...at, "in", name],
        message:
          `"${reference.stage.name}" runs every ${reference.stage.every} rounds: "${plan.name}" cannot read it every ${plan.every}`,
      });
    }
  }
  if (plan.every === 1 || plan.block?.kind !== "iterate") return;
  const carried = Object.entries(plan.block.next).filter(([, r]) => r.from === "stage" && r.stage === plan)
    .map(([name]) => `next.${name}`);
  if (carried.length > 0) {
    problems.push({
      at: [...at, "every"],
      message: `${carried.join(", ")} ${
        carried.length === 1 ? "needs" : "need"
      } "${plan.name}" in every round`,
    });
  }
}
