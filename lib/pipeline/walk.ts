/**
 * Walks a blueprint: unrolls loops as far as is known, follows references to values, and hands every node over once its
 * inputs are. What a visit does (look up, run, or only say what would run) is the caller's matter.
 * @module
 */
import type { ActionRecord } from "./action_record.ts";
import { type Blueprint, isBlock, type Reference } from "./blueprint.ts";
import { actionKey, type InputDigest, type KeyParts } from "./key.ts";
import { makeNode, type Node, nodesOf, type Position } from "./nodes.ts";
import { followRounds, type RoundsOptions } from "./rounds.ts";
import { stageSeed } from "./seeds.ts";
import type { Tree } from "./tree.ts";

/** A value that an input port reads: a user's file or the output of a node. */
export type Value =
  | { readonly from: "input"; readonly path: string; readonly tree: Tree }
  | { readonly from: "node"; readonly node: Node; readonly port: string; readonly record: ActionRecord };

/** Values of one port, in the shape of the port. */
export type PortValues = Value | readonly Value[] | Readonly<Record<string, Value>>;

/** A node whose inputs are finished, or (in a dry run) wait for nodes that would run. */
export type ReadyNode =
  | {
    readonly node: Node;
    readonly key: string;
    readonly parts: KeyParts;
    readonly inputs: Readonly<Record<string, PortValues>>;
  }
  | { readonly node: Node; readonly waitsFor: readonly string[] };

/** What the walk asks of its caller. */
export interface WalkOptions extends Pick<RoundsOptions, "figure" | "loopEnded" | "loopBest"> {
  readonly code: (uses: string) => string;
  readonly inputTree: (path: string) => Tree;
  /** the node's record; undefined where it is not known yet (a dry run) */
  readonly visit: (ready: ReadyNode) => Promise<ActionRecord | undefined>;
}

/** What a reference points at: the path of an input, an output of a node, or (in a dry run) something not known yet. */
type Target = string | { readonly node: Node; readonly port: string } | {
  readonly waitsFor: readonly string[];
};

/** The walk's answer to the manifest's `outputs:`; undefined values are not known (dry run) or were not written. */
export type OutputValues = Readonly<Record<string, Value | undefined>>;

/**
 * Visits every node of `blueprint` and gives the values of its outputs. Nodes that do not depend on one another are
 * visited at the same time. If a visit fails, what waits for it is not visited, the rest goes on as the caller lets it,
 * and the first failure is thrown at the end.
 */
export async function walk(blueprint: Blueprint, options: WalkOptions): Promise<OutputValues> {
  const visits = new Map<string, Promise<ActionRecord | undefined>>();
  const started: Promise<unknown>[] = [];
  /** Keeps a promise for the end, where its failure is looked at. */
  const later = <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => {});
    started.push(promise);
    return promise;
  };

  function visit(node: Node): Promise<ActionRecord | undefined> {
    const known = visits.get(node.id);
    if (known) return known;
    const promise = later(prepare(node).then(options.visit));
    visits.set(node.id, promise);
    return promise;
  }

  const rounds = followRounds({ ...options, visit, later });

  /** Inputs and nodes that a reference gives, seen from `at`, or what must run before it is known which. */
  async function targets(reference: Reference, at: Position): Promise<Target[]> {
    switch (reference.from) {
      case "input": {
        const path = blueprint.inputs[reference.name];
        return path === null || path === undefined ? [] : [path];
      }
      case "stage":
        return [{ node: makeNode(reference.stage, reference.stage.block ? at : {}), port: reference.port }];
      case "all": {
        const { stage, port } = reference;
        const block = stage.block!;
        const count = block.kind === "foreach" ? block.count : await rounds.count(block);
        return Array.from({ length: count }, (_, i) => nodesOf(block, i, count - 1)).flat()
          .filter((node) => node.plan === stage).map((node) => ({ node, port }));
      }
      case "carry": {
        if (at.iteration! > 0) {
          return targets(reference.block.next[reference.name]!, { iteration: at.iteration! - 1 });
        }
        const start = reference.block.carry[reference.name];
        return start ? targets(start, {}) : [];
      }
      case "next":
        return targets(reference.block.next[reference.name]!, {
          iteration: await rounds.count(reference.block) - 1,
        });
      case "best": {
        const { block, name } = reference;
        const iteration = await rounds.best(block);
        if (typeof iteration !== "number") return [iteration];
        if (block.best!.take === "carry") return targets({ from: "carry", block, name }, { iteration });
        return targets(block.next[name]!, { iteration });
      }
    }
  }

  /** The values of a reference, and which nodes must run before they are known. */
  async function values(reference: Reference, at: Position): Promise<{ found: Value[]; waitsFor: string[] }> {
    const found: Value[] = [];
    const waitsFor: string[] = [];
    for (const target of await targets(reference, at)) {
      if (typeof target === "string") {
        found.push({ from: "input", path: target, tree: options.inputTree(target) });
      } else if ("waitsFor" in target) {
        waitsFor.push(...target.waitsFor);
      } else {
        const record = await visit(target.node);
        if (!record) waitsFor.push(target.node.id);
        else if (record.outputs[target.port]) found.push({ from: "node", ...target, record });
      }
    }
    return { found, waitsFor };
  }

  async function prepare(node: Node): Promise<ReadyNode> {
    const { plan } = node;
    const inputs: Record<string, PortValues> = {};
    const waiting = new Set<string>();
    const ports = Object.entries(plan.bindings).map(async ([port, binding]) => {
      const of = async (reference: Reference) => {
        const { found, waitsFor } = await values(reference, node);
        for (const id of waitsFor) waiting.add(id);
        return found;
      };
      if (binding.kind === "one") {
        const [value] = await of(binding.reference);
        if (value) inputs[port] = value;
      } else if (binding.kind === "list") {
        const list = (await Promise.all(binding.references.map(of))).flat();
        if (list.length > 0) inputs[port] = list;
      } else {
        const pairs = Object.entries(binding.references).map(async ([key, r]) =>
          [key, (await of(r))[0]] as const
        );
        const map = Object.fromEntries((await Promise.all(pairs)).filter(([, value]) => value)) as Record<
          string,
          Value
        >;
        if (Object.keys(map).length > 0) inputs[port] = map;
      }
    });
    await Promise.all(ports);
    if (waiting.size > 0) return { node, waitsFor: [...waiting] };
    const parts = keyParts(blueprint, node, options.code(plan.stage.id), inputs);
    return { node, key: actionKey(parts), parts, inputs };
  }

  for (const entry of blueprint.entries) {
    if (!isBlock(entry)) visit(makeNode(entry, {}));
    else if (entry.kind === "iterate") {
      rounds.count(entry);
      if (entry.best) rounds.best(entry);
    } else for (let i = 0; i < entry.count; i++) nodesOf(entry, i).forEach(visit);
  }
  // Loops add nodes while they run, so the list grows until nothing is left.
  for (let i = 0; i < started.length; i++) await started[i]!.catch(() => {});
  for (const promise of started) await promise;
  const outputs: Record<string, Value | undefined> = {};
  for (const [name, reference] of Object.entries(blueprint.outputs)) {
    outputs[name] = (await values(reference, {})).found[0];
  }
  return outputs;
}

/** What the key of `node` is made of. Seed, copy and round stay out where the stage draws no random numbers. */
function keyParts(
  blueprint: Blueprint,
  node: Node,
  code: string,
  inputs: Readonly<Record<string, PortValues>>,
): KeyParts {
  const { plan, index = 0, iteration = 0 } = node;
  const digests: Record<string, InputDigest> = {};
  for (const [port, given] of Object.entries(inputs)) digests[port] = mapValues(given, digestOf);
  return {
    stage: plan.stage.id,
    code,
    params: plan.params,
    inputs: digests,
    ...(plan.stage.random
      ? { seed: stageSeed(blueprint.seed, plan.seedLabel, index), index, iteration }
      : {}),
  };
}

function digestOf(value: Value): string {
  return value.from === "input" ? value.tree.digest : value.record.outputs[value.port]!.digest;
}

/** `change` applied to every value of a port, in the port's shape. */
export function mapValues<T>(
  values: PortValues,
  change: (value: Value) => T,
): T | readonly T[] | Readonly<Record<string, T>> {
  if (Array.isArray(values)) return (values as readonly Value[]).map(change);
  if ("from" in values && typeof values.from === "string") return change(values as Value);
  return Object.fromEntries(
    Object.entries(values as Readonly<Record<string, Value>>).map(([k, v]) => [k, change(v)]),
  );
}

/** All values of a port. */
export function listValues(values: PortValues): readonly Value[] {
  if (Array.isArray(values)) return values as readonly Value[];
  if ("from" in values && typeof values.from === "string") return [values as Value];
  return Object.values(values as Readonly<Record<string, Value>>);
}
