/**
 * Makes actions of a run: each once, after its inputs are available, and again if its outputs were pruned or damaged. After
 * the first failure, or when the run is interrupted, nothing more begins.
 * @module
 */
import { shownPath } from "@/lib/data/files/file_pattern.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { ActionRecord } from "./action_record.ts";
import { type ActionOptions, interrupted, runAction } from "./actions.ts";
import type { Node } from "./nodes.ts";
import type { Pruner } from "./prune.ts";
import { type KeyedNode, listValues, type NodeValue, recordsOf } from "./walk.ts";

/** A recorded action gave other bytes when it ran again: what was planned on top of it is invalid. */
export class Diverged extends Error {
  override name = "Diverged";
}

/** An action's record, and whether this run made it. */
interface Made {
  readonly record: ActionRecord;
  readonly ran: boolean;
}

/** What a maker needs from its run. */
export interface MakerOptions {
  readonly actions: ActionOptions;
  readonly pruner: Pruner;
  /** returns a node of this run with its key */
  readonly keyed: (node: Node) => KeyedNode;
  /** called for an action that ran again as its outputs were missing */
  readonly remade: (node: Node, made: Made) => Promise<void>;
  /** called for an output of which stored files were damaged, and are removed now */
  readonly damaged: (node: Node, port: string) => void;
  /** returns whether a user's file or directory still has the content that it had when the run began */
  readonly isUnchanged: (path: string) => boolean;
  /** called for the first failure */
  readonly failed: (node: Node, error: unknown) => void;
}

/** Makes actions of one run. */
export class Maker {
  /** actions that run or have run, by key */
  readonly #made = new Map<string, Promise<Made>>();
  /** actions that run again as their outputs were missing, by key */
  readonly #repairs = new Map<string, Promise<Made>>();
  #failure: unknown;

  constructor(readonly options: MakerOptions) {}

  /** Makes the action of `ready`, which two nodes with one key share. @param again runs it whatever the store holds */
  make(ready: KeyedNode, again: boolean): Promise<Made> {
    const made = this.#made.get(ready.key) ?? this.#attempt(ready, again);
    this.#made.set(ready.key, made);
    return made;
  }

  /**
   * Makes sure that `value` is in the store with the bytes on record, or with `inMemory` at least in memory: files that are
   * only in memory are written, and an action whose outputs are missing or damaged runs again.
   * @throws {Diverged} if it then gives other bytes than those on record
   * @throws {DataError} if an input changed during the run, or if what was made again is damaged again
   */
  async ensure(value: NodeValue, inMemory = false): Promise<void> {
    if (value.from === "input") return this.#checkInput(value.path);
    const { node, port, record } = value;
    if (this.#isAvailable(node, record, port, inMemory)) return;
    const repair = this.#repairs.get(record.key) ?? this.#remake(this.options.keyed(node));
    this.#repairs.set(record.key, repair);
    const remade = (await repair).record;
    if (remade.outputs[port]?.digest !== record.outputs[port]!.digest) {
      throw new Diverged(`${node.id} produced other bytes than in the earlier run`);
    }
    if (this.#isAvailable(node, record, port, inMemory)) return;
    const problem = "was made again and is missing or damaged again: check the disk of the store";
    throw new DataError(`Output ${port} of ${node.id} ${problem}`);
  }

  /** Lets nothing more begin, as after a failure. */
  fail(error: unknown): void {
    this.#failure ??= error;
  }

  /** Forgets what was made, as its inputs may have changed. */
  forget(): void {
    this.#made.clear();
  }

  #isAvailable(node: Node, record: ActionRecord, port: string, inMemory: boolean): boolean {
    const { actions: { store }, pruner, damaged } = this.options;
    const tree = record.outputs[port]!;
    if (store.removeDamaged(tree, inMemory).length > 0) damaged(node, port);
    if (inMemory ? store.reaches(tree) : store.holds(tree)) return true;
    if (store.reaches(tree)) pruner.publish(record, port);
    return store.holds(tree) && store.removeDamaged(tree).length === 0;
  }

  #checkInput(path: string): void {
    if (this.options.isUnchanged(path)) return;
    const problem = "changed during the run: run the same command again to use its new content";
    throw new DataError(`Input ${shownPath(path)} ${problem}`, { file: path });
  }

  async #attempt(ready: KeyedNode, again: boolean): Promise<Made> {
    const { actions, pruner, failed } = this.options;
    const ports = ready.node.plan.stage.inputs;
    const inputs = Object.entries(ready.inputs).flatMap(([port, values]) => {
      const inMemory = actions.memory !== undefined && ports[port]?.handedOver === true;
      return listValues(values).map((value) => ({ value, inMemory }));
    });
    try {
      return await pruner.sparing(inputs.flatMap(({ value }) => recordsOf(value)), async () => {
        for (const { value, inMemory } of inputs) await this.ensure(value, inMemory);
        if (this.#failure !== undefined) throw this.#failure;
        if (actions.signal.aborted) throw interrupted();
        return await runAction(ready, again, actions);
      });
    } catch (error) {
      if (this.#failure === undefined && !(error instanceof Diverged)) {
        this.#failure = error;
        if (!actions.signal.aborted) failed(ready.node, error);
      }
      throw this.#failure ?? error;
    }
  }

  async #remake(ready: KeyedNode): Promise<Made> {
    try {
      const made = await this.#attempt(ready, true);
      await this.options.remade(ready.node, made);
      return made;
    } finally {
      this.#repairs.delete(ready.key);
    }
  }
}
