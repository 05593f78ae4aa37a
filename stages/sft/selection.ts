/**
 * Validation during training: losses every `eval_every` updates, the checkpoint with the lowest one in a directory that outlives an
 * interruption, and when to stop. Best checkpoint and patience count as in transformers' `load_best_model_at_end` and
 * EarlyStoppingCallback with threshold 0: only a strictly lower loss is a new minimum.
 * @module
 */
import { join } from "node:path";
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import { digestFile } from "@/lib/data/files/digest.ts";
import { isMissing } from "@/lib/data/files/paths.ts";
import { publishDirectory } from "@/lib/data/files/publish.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import type { Sequence } from "@/lib/model/train/batching.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { readVectors, writeVectors } from "@/lib/model/train/optimizer_file.ts";
import type { Params } from "./params.ts";
import { validationLoss } from "./validation_loss.ts";

/** What a resumed training needs. */
export interface SelectionState {
  /** undefined before the first validation loss */
  readonly best?: {
    readonly updates: number;
    readonly loss: number;
    /** directory of the weights below `best`, with the digest of its file; undefined: they were not written */
    readonly weights?: { readonly directory: string; readonly digest: string };
  };
  /** validation losses since the best one */
  readonly misses: number;
}

/** The parameters that decide. */
type SelectionParams = Pick<Params, "eval_every" | "load_best_model_at_end" | "early_stopping_patience">;

const WEIGHTS = "weights.safetensors";

/** Validation losses of one training. */
export class ModelSelection {
  #state: SelectionState = { misses: 0 };

  /** @param home a directory, created if needed; it may contain the best checkpoint of the same training already */
  constructor(
    readonly rows: readonly Sequence[],
    readonly params: SelectionParams,
    readonly home: string,
  ) {}

  get state(): SelectionState {
    return this.#state;
  }

  /** Returns whether patience is exhausted. */
  get stops(): boolean {
    const { early_stopping_patience: patience } = this.params;
    return patience > 0 && this.#state.misses >= patience;
  }

  /** Returns whether a validation loss follows update number `updates` of `total`. */
  isDue(updates: number, total: number): boolean {
    const { eval_every: every } = this.params;
    const period = every < 1 ? Math.max(1, Math.ceil(every * total)) : every;
    return updates === total || updates % period === 0;
  }

  /**
   * Computes the validation loss after `updates` updates, in nats per supervised token. Writes the weights if it is a new minimum and
   * the training continues.
   * @throws {NonFiniteError} if the loss is not finite
   */
  async evaluate(
    network: Network,
    { updates, total }: { readonly updates: number; readonly total: number },
  ): Promise<{ readonly loss: number; readonly isBest: boolean }> {
    const loss = await validationLoss(network, this.rows, updates);
    const { best, misses } = this.#state;
    if (best !== undefined && !(loss < best.loss)) {
      this.#state = { best, misses: misses + 1 };
      return { loss, isBest: false };
    }
    const weights = this.params.load_best_model_at_end && updates < total
      ? await this.#write(network, String(updates).padStart(6, "0"))
      : undefined;
    this.#state = { best: { updates, loss, ...(weights && { weights }) }, misses: 0 };
    return { loss, isBest: true };
  }

  async #write(network: Network, directory: string): Promise<{ directory: string; digest: string }> {
    const path = join(this.#directory, directory);
    network.pull();
    await publishDirectory(path, (to) => writeVectors(join(to, WEIGHTS), { weights: network.parameters }));
    return { directory, digest: digestFile(join(path, WEIGHTS)) };
  }

  /** Continues from a saved state; returns false, and changes nothing, if the weights in it are missing or damaged. */
  restore(state: SelectionState): boolean {
    const weights = state.best?.weights;
    if (weights !== undefined) {
      try {
        if (digestFile(join(this.#directory, weights.directory, WEIGHTS)) !== weights.digest) return false;
      } catch {
        return false;
      }
    }
    this.#state = state;
    return true;
  }

  /** Removes the weights of earlier minima; to be called when no saved state names them any more. */
  prune(): void {
    const kept = this.#state.best?.weights?.directory;
    for (const name of entries(this.#directory)) {
      if (name !== kept) Deno.removeSync(join(this.#directory, name), { recursive: true });
    }
  }

  /** Gives the network the best weights, if they are not those that it has. */
  useBest(network: Network): void {
    const weights = this.#state.best?.weights;
    if (weights === undefined || !this.params.load_best_model_at_end) return;
    readVectors(join(this.#directory, weights.directory, WEIGHTS), { weights: network.parameters });
    network.push();
  }

  /** Returns the best validation loss and the number of updates of its checkpoint. */
  metrics(step: number): MetricRow[] {
    const { best } = this.#state;
    if (best === undefined) return [];
    return [
      { step, name: "best_step", value: best.updates },
      { step, name: "best_validation_loss", value: best.loss },
    ];
  }

  /** Removes the directory, where nothing resumes. */
  close(): void {
    removeIfThere(this.home);
  }

  get #directory(): string {
    return join(this.home, "best");
  }
}

function entries(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return []; // no validation loss yet
    throw error;
  }
}
