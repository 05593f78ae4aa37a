/**
 * Makes what a run needs: each action once, with its inputs at hand, and again what was pruned or damaged since. After the
 * first failure, or when the run is to stop, nothing more begins.
 * @module
 */
import { TryAgainError } from "@/lib/tensor/errors.ts";
import type { ActionRecord } from "./action_record.ts";
import { type ActionOptions, type KeyedNode, runAction } from "./actions.ts";
import type { Node } from "./nodes.ts";
import type { Pruner } from "./prune.ts";
import { listValues, type Value } from "./walk.ts";

/** A recorded action gave other bytes when it ran again: what was planned on top of it is void. */
export class Diverged extends Error {
  override name = "Diverged";
}

/** An action's record, and whether this run made it. */
export interface Made {
  readonly record: ActionRecord;
  readonly ran: boolean;
}

/** How actions are made. */
export interface MakerOptions {
  readonly actions: ActionOptions;
  readonly pruner: Pruner;
  /** a node with its key, as this run met it */
  readonly keyed: (node: Node) => KeyedNode;
  /** told of an action that ran again as its bytes were gone */
  readonly remade: (node: Node, made: Made) => Promise<void>;
  /** told of the first failure */
  readonly failed: (node: Node, error: unknown) => void;
}

/** Makes actions. */
export interface Maker {
  /** The action of `ready`, which two nodes with one key share; `again` runs it whatever the store holds. */
  readonly make: (ready: KeyedNode, again: boolean) => Promise<Made>;
  /**
   * Makes sure that the bytes of `value` are in the store, or with `inMemory` at least there: what was handed over is
   * written, what was pruned or damaged is made again.
   * @throws {Diverged} if that gives other bytes than those on record
   */
  readonly ensure: (value: Value, inMemory?: boolean) => Promise<void>;
  /** Lets nothing more begin, as after a failure. */
  readonly fail: (error: unknown) => void;
  /** Forgets what was made: it may stand on bytes that were others. */
  readonly forget: () => void;
}

/** A maker for one run. */
export function createMaker({ actions, pruner, keyed, remade, failed }: MakerOptions): Maker {
  const { store, memory, signal } = actions;
  /** actions under way or done, by key */
  const running = new Map<string, Promise<Made>>();
  /** actions that run again as their bytes were gone, while they do */
  const repairs = new Map<string, Promise<Made>>();
  let failure: unknown;

  async function attempt(ready: KeyedNode, again: boolean): Promise<Made> {
    const inputs = Object.entries(ready.inputs).flatMap(([port, values]) => {
      const inMemory = memory !== undefined && ready.node.plan.stage.inputs[port]?.handedOver === true;
      return listValues(values).map((value) => ({ value, inMemory }));
    });
    try {
      return await pruner.sparing(inputs.flatMap(({ value }) => recordsOf(value)), async () => {
        for (const { value, inMemory } of inputs) await ensure(value, inMemory);
        if (failure !== undefined) throw failure;
        if (signal.aborted) throw new TryAgainError("Cannot go on as the run is to stop: nothing is lost");
        return await runAction(ready, again, actions);
      });
    } catch (error) {
      if (failure === undefined && !(error instanceof Diverged)) {
        failure = error;
        if (!signal.aborted) failed(ready.node, error);
      }
      throw failure ?? error;
    }
  }

  async function ensure(value: Value, inMemory = false): Promise<void> {
    if (value.from === "input") return;
    const tree = value.record.outputs[value.port]!;
    const isThere = () => {
      if (inMemory ? store.reaches(tree) : store.holds(tree)) return true;
      if (store.reaches(tree)) pruner.publish(value.record, value.port);
      return store.holds(tree);
    };
    if (isThere()) return;
    const { key } = value.record;
    const repair = repairs.get(key) ?? remake(keyed(value.node)).finally(() => repairs.delete(key));
    repairs.set(key, repair);
    const { record } = await repair;
    if (record.outputs[value.port]?.digest === tree.digest && isThere()) return;
    throw new Diverged(`${value.node.id} gave other bytes than those on record`);
  }

  async function remake(ready: KeyedNode): Promise<Made> {
    const made = await attempt(ready, true);
    await remade(ready.node, made);
    return made;
  }

  return {
    make(ready, again) {
      const made = running.get(ready.key) ?? attempt(ready, again);
      running.set(ready.key, made);
      return made;
    },
    ensure,
    fail: (error) => failure ??= error,
    forget: () => running.clear(),
  };
}

/** The record of the action that made `value`, if one did. */
export function recordsOf(value: Value): ActionRecord[] {
  return value.from === "node" ? [value.record] : [];
}
