/**
 * Walks a blueprint: unrolls loops as far as possible, follows references to values, and visits every node when its inputs
 * are known. The caller decides what a visit does: look up and run, or only report what would run.
 * @module
 */
import type { ActionRecord } from "./action_record.ts";
import { type Binding, type Blueprint, isBlock, type IteratePlan, type Reference } from "./blueprint.ts";
import { Iterations, type IterationsOptions } from "./iterations.ts";
import { actionKey, type KeyParts, stageSeed } from "./key.ts";
import { makeNode, type Node, nodesOf, type Position } from "./nodes.ts";
import { unroll } from "./unroll.ts";
import type { Tree } from "./tree.ts";

/** A value that an input port reads: a user's file or the output of a node. */
export type NodeValue =
  | { readonly from: "input"; readonly path: string; readonly tree: Tree }
  | { readonly from: "node"; readonly node: Node; readonly port: string; readonly record: ActionRecord };

/** Values of one port, in the form of the port. */
type PortValues = NodeValue | readonly NodeValue[] | Readonly<Record<string, NodeValue>>;

/** A node whose inputs are finished. */
export interface KeyedNode {
  readonly node: Node;
  readonly key: string;
  readonly parts: KeyParts;
  readonly inputs: Readonly<Record<string, PortValues>>;
}

/** A node of a dry run that waits for nodes that would run. */
interface WaitingNode {
  readonly node: Node;
  readonly waitsFor: readonly string[];
}

/** What the walk needs from its caller. */
export interface WalkOptions
  extends Pick<IterationsOptions, "readMetric" | "loopSkipped" | "loopUndecided" | "loopEnded" | "loopBest"> {
  /** returns the digest of a stage program's code */
  readonly code: (uses: string) => string;
  readonly inputTree: (path: string) => Tree;
  /** returns the node's record; undefined if it is not known yet (a dry run) */
  readonly visit: (node: KeyedNode) => Promise<ActionRecord | undefined>;
  /** called for a node that waits for others (a dry run) */
  readonly waiting?: (node: WaitingNode) => void;
  /** called for a node that does not run since its stage's `when` has no value */
  readonly skipped?: (node: Node) => void;
}

/** A node that is not visited because it reads what a loop without iterations would give. */
const SKIPPED = Symbol("skipped");

/**
 * The target of a reference: the path of an input, an output of a node, (in a dry run) something not known yet, or an output
 * of all iterations of a loop that has none.
 */
type Target = string | { readonly node: Node; readonly port: string } | typeof SKIPPED | {
  readonly waitsFor: readonly string[];
};

/** The record of a stage that does not run: it has no outputs. It is never stored. */
const NO_OUTPUTS: ActionRecord = {
  version: 1,
  key: "",
  parts: { stage: "", code: "", params: {}, inputs: {} },
  names: {},
  outputs: {},
  seconds: 0,
  finished: "",
  host: { onnxruntime: "", provider: "", instruction_set: "", threads: 0, deno: "" },
};

/** The values of the manifest's `outputs:`; undefined if a value is not known (dry run) or was not written. */
export type OutputValues = Readonly<Record<string, NodeValue | undefined>>;

/**
 * Visits every node of `blueprint` and returns the values of its outputs. Nodes that do not depend on one another are
 * visited at the same time. If a visit fails, the nodes that depend on it are not visited; the first failure is thrown
 * when all others have ended. A stage that reads the iterations of a loop that does not run is not visited either, nor are
 * those that read this stage; in a map of values, only this value is missing.
 */
export function walk(blueprint: Blueprint, options: WalkOptions): Promise<OutputValues> {
  return new Walk(blueprint, options).run();
}

class Walk {
  readonly #iterations: Iterations;
  readonly #visits = new Map<string, Promise<ActionRecord | typeof SKIPPED | undefined>>();
  /** promises whose failures are reported at the end */
  readonly #started: Promise<unknown>[] = [];

  constructor(readonly blueprint: Blueprint, readonly options: WalkOptions) {
    this.#iterations = new Iterations({
      ...options,
      visit: (node) => {
        const visited = this.#visit(node).then((record) => record === SKIPPED ? undefined : record);
        visited.catch(() => {}); // #visit reports it
        return visited;
      },
      later: (promise) => this.#later(promise),
    });
  }

  async run(): Promise<OutputValues> {
    for (const entry of this.blueprint.entries) {
      if (!isBlock(entry)) this.#visit(makeNode(entry, {}));
      else if (entry.kind === "iterate") {
        this.#iterations.count(entry);
        if (entry.best) this.#iterations.best(entry);
      } else this.#later(unroll(entry.count, (i) => nodesOf(entry, i).map((node) => this.#visit(node))));
    }
    // Loops add nodes while they run, so the list grows until nothing is left.
    for (let i = 0; i < this.#started.length; i++) await this.#started[i]!.catch(() => {});
    for (const promise of this.#started) await promise;
    const outputs: Record<string, NodeValue | undefined> = {};
    for (const [name, reference] of Object.entries(this.blueprint.outputs)) {
      const values = await this.#values(reference, {}, new Set());
      outputs[name] = values === SKIPPED ? undefined : values[0];
    }
    return outputs;
  }

  #later<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {});
    this.#started.push(promise);
    return promise;
  }

  #visit(node: Node): Promise<ActionRecord | typeof SKIPPED | undefined> {
    const visit = this.#visits.get(node.id) ?? this.#later(this.#prepareAndVisit(node));
    this.#visits.set(node.id, visit);
    return visit;
  }

  async #prepareAndVisit(node: Node): Promise<ActionRecord | typeof SKIPPED | undefined> {
    if (!await this.#isGiven(node)) return NO_OUTPUTS;
    const inputs: Record<string, PortValues> = {};
    let isSkipped = false;
    const waits = await Promise.all(
      Object.entries(node.plan.bindings).map(async ([port, binding]) => {
        const waitsFor = new Set<string>();
        const values = await this.#boundValues(binding, node, waitsFor);
        if (values === SKIPPED) isSkipped = true;
        else if (values !== undefined) inputs[port] = values;
        return [...waitsFor];
      }),
    );
    if (isSkipped) return SKIPPED;
    const waitsFor = [...new Set(waits.flat())];
    if (waitsFor.length > 0) {
      this.options.waiting?.({ node, waitsFor });
      return undefined;
    }
    const parts = keyParts(this.blueprint, node, this.options.code(node.plan.stage.id), inputs);
    return await this.options.visit({ node, key: actionKey(parts), parts, inputs });
  }

  /** Returns whether the stage's `when` has a value; true as long as that is not known (a dry run). */
  async #isGiven(node: Node): Promise<boolean> {
    const { when } = node.plan;
    if (!when) return true;
    const waitsFor = new Set<string>(), values = await this.#values(when, node, waitsFor);
    if (values !== SKIPPED && (values.length > 0 || waitsFor.size > 0)) return true;
    this.options.skipped?.(node);
    return false;
  }

  /** Returns the values of a port; undefined if there are none. Nodes that they wait for are added to `waitsFor`. */
  async #boundValues(
    binding: Binding,
    at: Position,
    waitsFor: Set<string>,
  ): Promise<PortValues | typeof SKIPPED | undefined> {
    const valuesOf = (reference: Reference) => this.#values(reference, at, waitsFor);
    if (binding.kind === "one") {
      const values = await valuesOf(binding.reference);
      return values === SKIPPED ? SKIPPED : values[0];
    }
    if (binding.kind === "list") {
      const lists = await Promise.all(binding.references.map(valuesOf));
      const list = lists.flatMap((values) => values === SKIPPED ? [] : values);
      return list.length > 0 ? list : lists.includes(SKIPPED) ? SKIPPED : undefined;
    }
    const pairs = await Promise.all(
      Object.entries(binding.references).map(async ([name, r]) => {
        const values = await valuesOf(r);
        return [name, values === SKIPPED ? undefined : values[0]] as const;
      }),
    );
    const given = pairs.filter((pair): pair is readonly [string, NodeValue] => pair[1] !== undefined);
    return given.length > 0 ? Object.fromEntries(given) : undefined;
  }

  /** Returns the values of a reference. Nodes that must run before they are known are added to `waitsFor`. */
  async #values(
    reference: Reference,
    at: Position,
    waitsFor: Set<string>,
  ): Promise<NodeValue[] | typeof SKIPPED> {
    const values: NodeValue[] = [];
    for (const target of await this.#targets(reference, at)) {
      if (target === SKIPPED) return SKIPPED;
      if (typeof target === "string") {
        values.push({ from: "input", path: target, tree: this.options.inputTree(target) });
      } else if ("waitsFor" in target) {
        for (const id of target.waitsFor) waitsFor.add(id);
      } else {
        const record = await this.#visit(target.node);
        if (record === SKIPPED) return SKIPPED;
        if (!record) waitsFor.add(target.node.id);
        else if (record.outputs[target.port]) values.push({ from: "node", ...target, record });
      }
    }
    return values;
  }

  /** Returns the inputs and nodes that a reference means, as seen from `at`. */
  async #targets(reference: Reference, at: Position): Promise<Target[]> {
    switch (reference.from) {
      case "input": {
        const path = this.blueprint.inputs[reference.name];
        return path === null || path === undefined ? [] : [path];
      }
      case "stage":
        return [{ node: makeNode(reference.stage, reference.stage.block ? at : {}), port: reference.port }];
      case "all": {
        const { stage, port } = reference;
        const block = stage.block!;
        const count = block.kind === "foreach" ? block.count : await this.#iterations.count(block);
        if (count === 0) return [SKIPPED];
        return Array.from({ length: count }, (_, i) => nodesOf(block, i, count - 1)).flat()
          .filter((node) => node.plan === stage).map((node) => ({ node, port }));
      }
      case "carry": {
        return this.#carried(reference.block, reference.name, at.iteration!);
      }
      case "next": {
        const { block, name } = reference, iteration = await this.#iterations.count(block) - 1;
        return iteration < 0
          ? this.#carried(block, name, 0)
          : this.#targets(block.next[name]!, { iteration });
      }
      case "best": {
        const { block, name } = reference;
        const iteration = await this.#iterations.best(block);
        if (typeof iteration !== "number") return [iteration];
        if (iteration < 0) return this.#carried(block, name, 0);
        const source: Reference = block.best!.take === "carry"
          ? { from: "carry", block, name }
          : block.next[name]!;
        return this.#targets(source, { iteration });
      }
    }
  }

  /** Returns what a carried value of an iteration means; for iteration 0, the initial value. */
  async #carried(block: IteratePlan, name: string, iteration: number): Promise<Target[]> {
    const { reference, iteration: from } = carriedFrom({ from: "carry", block, name }, iteration);
    if (reference === null) return [];
    return await this.#targets(reference, from === undefined ? {} : { iteration: from });
  }
}

/**
 * Returns what a carried value of an iteration refers to, past values that iterations only pass on (`next: {a: carry.a}`), of
 * which there may be a million.
 * @returns the initial value, or what another iteration gives
 */
function carriedFrom(
  { block, name }: Reference & { readonly from: "carry" },
  iteration: number,
): { readonly reference: Reference | null; readonly iteration?: number } {
  const seen = new Map<string, number>();
  for (let left = iteration; left > 0;) {
    const next = block.next[name]!;
    if (next.from !== "carry") return { reference: next, iteration: left - 1 };
    const before = seen.get(name);
    // The names repeat: whole cycles change nothing.
    if (before !== undefined) left %= before - left;
    seen.set(name, left);
    if (left === 0) break;
    name = next.name;
    left--;
  }
  return { reference: block.carry[name] ?? null };
}

/** Returns the parts of a node's key. Seed, copy and iteration are left out if the stage draws no random numbers. */
function keyParts(
  blueprint: Blueprint,
  { plan, index = 0, iteration = 0 }: Node,
  code: string,
  inputs: Readonly<Record<string, PortValues>>,
): KeyParts {
  const seed = stageSeed(blueprint.seed, plan.seedLabel, index);
  return {
    stage: plan.stage.id,
    code,
    params: plan.params,
    inputs: mapPorts(inputs, (value) => treeOf(value).digest),
    ...(plan.stage.random ? { seed, index, iteration } : {}),
  };
}

/** Returns the tree of a value. */
export function treeOf(value: NodeValue): Tree {
  return value.from === "input" ? value.tree : value.record.outputs[value.port]!;
}

/** Returns the record of the action that made `value`; none for a user's file. */
export function recordsOf(value: NodeValue): ActionRecord[] {
  return value.from === "node" ? [value.record] : [];
}

/** Returns `change` of every value of all ports, in the forms of the ports. */
export function mapPorts<T>(
  inputs: Readonly<Record<string, PortValues>>,
  change: (value: NodeValue) => T,
): Record<string, T | T[] | Record<string, T>> {
  return Object.fromEntries(
    Object.entries(inputs).map(([port, values]) => {
      if (isList(values)) return [port, values.map(change)];
      if (isOne(values)) return [port, change(values)];
      return [port, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]))];
    }),
  );
}

/** Returns all values of a port. */
export function listValues(values: PortValues): readonly NodeValue[] {
  return isList(values) ? values : isOne(values) ? [values] : Object.values(values);
}

function isList(values: PortValues): values is readonly NodeValue[] {
  return Array.isArray(values);
}

function isOne(values: PortValues): values is NodeValue {
  return "from" in values && typeof values.from === "string";
}
