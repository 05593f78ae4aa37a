/**
 * Turns the references of a manifest (`inputs.x`, `stage.output`, `block.stage.output`, `block.name`, `block.best.name`,
 * `carry.x`) into pointers at stages and blocks, as seen from where they stand.
 * @module
 */
import { type BlockPlan, isBlock, type IteratePlan, type Reference, type StagePlan } from "./blueprint.ts";
import { suggestion } from "./suggest.ts";

/** What references can name. */
export interface Scope {
  readonly inputs: readonly string[];
  readonly entries: ReadonlyMap<string, StagePlan | BlockPlan>;
  /** the block in which the reference stands; its stages hide outer ones of the same name */
  readonly block?: BlockPlan;
  /** the stage that reads; it cannot mean itself, so its name means one outside its block */
  readonly self?: StagePlan;
}

/** The target of `text`, or what is wrong with it. */
export function resolveReference(text: string, scope: Scope): Reference | { readonly problem: string } {
  const parts = text.split(".");
  const [first = "", second, third] = parts;
  if (parts.some((part) => part === "") || parts.length < 2 || parts.length > 3) {
    const forms = "inputs.NAME, STAGE.OUTPUT, BLOCK.STAGE.OUTPUT, BLOCK.NAME, BLOCK.best.NAME or carry.NAME";
    return bad(`"${text}" must be ${forms}`);
  }
  if (first === "inputs") {
    if (third !== undefined || !scope.inputs.includes(second!)) {
      return bad(`there is no input "${parts.slice(1).join(".")}"${suggestion(second!, scope.inputs)}`);
    }
    return { from: "input", name: second! };
  }
  if (first === "carry") return carried(second!, scope.block);
  const sibling = scope.block?.stages.find((stage) => stage.name === first && stage !== scope.self);
  if (sibling) return output(sibling, parts.slice(1), "stage");
  const entry = scope.entries.get(first);
  if (!entry) {
    const names = [...(scope.block?.stages.map((s) => s.name) ?? []), ...scope.entries.keys(), "inputs"];
    return bad(`there is no stage "${first}"${suggestion(first, names)}`);
  }
  if (!isBlock(entry)) return output(entry, parts.slice(1), "stage");
  if (entry === scope.block) return bad(`"${text}" refers to block "${first}" from inside it`);
  return ofBlock(entry, second!, third);
}

function ofBlock(block: BlockPlan, second: string, third?: string): Reference | { readonly problem: string } {
  const inner = block.stages.find((stage) => stage.name === second);
  const isOwn = inner !== undefined || block.kind === "iterate" && Object.hasOwn(block.next, second);
  if (second === "best" && block.kind === "iterate" && (block.best || !isOwn)) return ofBest(block, third);
  if (third !== undefined) {
    if (inner) return output(inner, [third], "all");
    return bad(
      `block "${block.name}" has no stage "${second}"${suggestion(second, block.stages.map((s) => s.name))}`,
    );
  }
  if (block.kind === "iterate" && Object.hasOwn(block.next, second)) {
    return { from: "next", block, name: second };
  }
  if (second === "metrics") {
    const sources = block.stages.filter((stage) => stage.stage.outputs.metrics?.contract === "metrics@1");
    if (sources.length === 1) return { from: "all", stage: sources[0]!, port: "metrics" };
    const which = sources.length === 0 ? "none of its stages" : sources.map((s) => s.name).join(" and ");
    return bad(`"${block.name}.metrics" needs one stage with a metrics output: ${which} have one`);
  }
  const names = [
    ...block.stages.map((s) => s.name),
    ...(block.kind === "iterate" ? Object.keys(block.next) : []),
  ];
  if (inner) {
    return bad(
      `"${block.name}.${second}" must name an output: ${Object.keys(inner.stage.outputs).join(", ")}`,
    );
  }
  return bad(`block "${block.name}" has no "${second}"${suggestion(second, names)}`);
}

/** What the best round carries as `name`; without one, the first that `next` names. */
function ofBest(block: IteratePlan, name?: string): Reference | { readonly problem: string } {
  if (!block.best) {
    return bad(`block "${block.name}" has no best round: "iterate" must say by which metric, under "best"`);
  }
  const names = Object.keys(block.next);
  const wanted = name ?? names[0] ?? "";
  if (names.includes(wanted)) return { from: "best", block, name: wanted };
  return bad(`block "${block.name}" carries no "${wanted}"${suggestion(wanted, names)}`);
}

function carried(name: string, block?: BlockPlan): Reference | { readonly problem: string } {
  if (block?.kind !== "iterate") return bad(`"carry.${name}" stands outside an iterate block`);
  if (Object.hasOwn(block.carry, name)) return { from: "carry", block, name };
  return bad(`block "${block.name}" carries no "${name}"${suggestion(name, Object.keys(block.carry))}`);
}

function output(
  stage: StagePlan,
  rest: readonly string[],
  from: "stage" | "all",
): Reference | { readonly problem: string } {
  const port = rest[0]!;
  const known = Object.keys(stage.stage.outputs);
  if (rest.length === 1 && known.includes(port)) return { from, stage, port };
  return bad(
    `stage "${stage.path}" (${stage.stage.id}) has no output "${rest.join(".")}"${suggestion(port, known)}`,
  );
}

function bad(problem: string): { readonly problem: string } {
  return { problem };
}

/** The stage outputs that `reference` may give, followed through carried values. */
export function origins(
  reference: Reference,
  seen = new Set<string>(),
): { stage: StagePlan; port: string }[] {
  if (reference.from === "input") return [];
  if (reference.from === "stage" || reference.from === "all") return [reference];
  return carriedOrigins(reference.block, reference.name, seen);
}

function carriedOrigins(
  block: IteratePlan,
  name: string,
  seen: Set<string>,
): { stage: StagePlan; port: string }[] {
  const id = `${block.name}.${name}`;
  if (seen.has(id)) return [];
  seen.add(id);
  return [block.carry[name], block.next[name]].flatMap((r) => r ? origins(r, seen) : []);
}
