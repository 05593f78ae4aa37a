/**
 * Resolves the references of a manifest (`inputs.x`, `stage.output`, `block.stage.output`, `block.name`,
 * `block.best.name`, `carry.x`) to stages and blocks, as seen from the entry that has them.
 * @module
 */
import { type BlockPlan, type EntryPlan, isBlock, type Reference, type StagePlan } from "./blueprint.ts";
import { suggestion, unknownName } from "./suggest.ts";

/** What references can name. */
export interface Scope {
  readonly inputs: readonly string[];
  readonly entries: ReadonlyMap<string, EntryPlan>;
  /** the block that contains the reference; its stages hide outer ones of the same name */
  readonly block?: BlockPlan | undefined;
  /** the stage that reads; it cannot read itself, so its name means one outside its block */
  readonly self?: StagePlan | undefined;
}

type Resolved = Reference | { readonly problem: string };

/** Returns the target of `text`, or the problem with it. */
export function resolveReference(text: string, { inputs, entries, block, self }: Scope): Resolved {
  const parts = text.split(".");
  const [first, second, third] = parts as [string, string, string?];
  if (parts.includes("") || parts.length < 2 || parts.length > 3) {
    const forms = "inputs.NAME, STAGE.OUTPUT, BLOCK.STAGE.OUTPUT, BLOCK.NAME, BLOCK.best.NAME or carry.NAME";
    return { problem: `a reference must be ${forms}, got "${text}"` };
  }
  if (first === "inputs") {
    if (third === undefined && inputs.includes(second)) return { from: "input", name: second };
    const name = parts.slice(1).join(".");
    return { problem: `unknown input "${name}"${suggestion(second, inputs)}` };
  }
  if (first === "carry") {
    if (block?.kind !== "iterate") return { problem: `"carry.${second}" is outside an iterate block` };
    return carried("carry", block, second, Object.keys(block.carry));
  }
  const sibling = block?.stages.find((stage) => stage.name === first && stage !== self);
  if (sibling) return output(sibling, parts.slice(1), "stage");
  const entry = entries.get(first);
  if (!entry) {
    const names = [...(block?.stages.map((s) => s.name) ?? []), ...entries.keys(), "inputs"];
    return { problem: unknownName("stage", first, names) };
  }
  if (!isBlock(entry)) return output(entry, parts.slice(1), "stage");
  if (entry === block) return { problem: `"${text}" refers to block "${first}" from inside it` };
  return outputOfBlock(entry, second, third);
}

function outputOfBlock(block: BlockPlan, second: string, third?: string): Resolved {
  const inner = block.stages.find((stage) => stage.name === second);
  const carriedNames = block.kind === "iterate" ? Object.keys(block.next) : [];
  if (
    second === "best" && block.kind === "iterate" && (block.best || !inner && !carriedNames.includes("best"))
  ) {
    // Without a name, the first that `next` names.
    if (block.best) return carried("best", block, third ?? carriedNames[0] ?? "", carriedNames);
    return { problem: `block "${block.name}" has no best iteration: "iterate" must have "best"` };
  }
  if (third !== undefined) {
    if (inner) return output(inner, [third], "all");
    const names = block.stages.map((s) => s.name);
    return { problem: `block "${block.name}": ${unknownName("stage", second, names)}` };
  }
  if (block.kind === "iterate" && carriedNames.includes(second)) {
    return { from: "next", block, name: second };
  }
  if (second === "metrics") return allMetrics(block);
  if (inner) {
    const outputs = Object.keys(inner.stage.outputs).join(", ");
    return { problem: `"${block.name}.${second}" must name an output: ${outputs}` };
  }
  const names = [...block.stages.map((s) => s.name), ...carriedNames];
  return { problem: `block "${block.name}" has no "${second}"${suggestion(second, names)}` };
}

function allMetrics(block: BlockPlan): Resolved {
  const sources = block.stages.filter((stage) => stage.stage.outputs.metrics?.contract === "metrics@1");
  if (sources.length === 1) return { from: "all", stage: sources[0]!, port: "metrics" };
  const found = sources.length === 0 ? "none" : sources.map((s) => s.name).join(" and ");
  return {
    problem: `"${block.name}.metrics" requires exactly one stage with an output "metrics", got ${found}`,
  };
}

function carried(
  from: "carry" | "best",
  block: Extract<BlockPlan, { readonly kind: "iterate" }>,
  name: string,
  names: readonly string[],
): Resolved {
  if (names.includes(name)) return { from, block, name };
  return { problem: `block "${block.name}" does not carry "${name}"${suggestion(name, names)}` };
}

function output(stage: StagePlan, rest: readonly string[], from: "stage" | "all"): Resolved {
  const port = rest[0]!;
  const known = Object.keys(stage.stage.outputs);
  if (rest.length === 1 && known.includes(port)) return { from, stage, port };
  const name = rest.join(".");
  return {
    problem: `stage "${stage.path}" (${stage.stage.id}) has no output "${name}"${suggestion(port, known)}`,
  };
}

/** Returns the stage outputs that `reference` may give, followed through carried values. */
export function origins(
  reference: Reference,
  seen = new Set<string>(),
): { readonly stage: StagePlan; readonly port: string }[] {
  if (reference.from === "input") return [];
  if (reference.from === "stage" || reference.from === "all") return [reference];
  const { block, name } = reference;
  const id = `${block.name}.${name}`;
  if (seen.has(id)) return [];
  seen.add(id);
  return [block.carry[name], block.next[name]].flatMap((r) => r ? origins(r, seen) : []);
}
