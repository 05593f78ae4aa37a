/**
 * Keeps frozen models in memory, by content: every iteration of a run scores with the same base, SFT model and members. Adapters
 * on one base share its weights.
 * @module
 */
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { loadFrozenModel } from "@/lib/model/models/checkpoint.ts";
import { Network } from "@/lib/model/train/network.ts";

/** Networks that stay loaded between uses: those that are held, whatever their size, and the last other one. */
export class FrozenNetworks {
  readonly #networks = new Map<string, Network>();
  #held: ReadonlySet<string> = new Set();
  #lastOther = "";

  /** Holds the models with these digests in memory from their first use to the next call; removes those held before. */
  hold(digests: Iterable<string>): void {
    this.#held = new Set(digests);
    this.#evict();
  }

  /**
   * Returns the network of a model directory.
   * @param digest of the directory; computed where it is not known
   * @throws {DataError} if it holds no language model
   */
  get(directory: string, digest = digestDirectory(directory).digest): Network {
    let network = this.#networks.get(digest);
    if (network?.isAtDefaultPlace() === false) network = undefined; // the process computes on another device now
    if (!network) {
      const { model, parameters } = loadFrozenModel(directory);
      this.#networks.set(digest, network = new Network(model, parameters));
    }
    if (!this.#held.has(digest)) this.#lastOther = digest;
    this.#evict();
    return network;
  }

  #evict(): void {
    for (const digest of [...this.#networks.keys()]) {
      if (!this.#held.has(digest) && digest !== this.#lastOther) this.#networks.delete(digest);
    }
  }
}

const shared = new FrozenNetworks();

/** Returns the network of a model directory, from those that the process shares; see {@linkcode FrozenNetworks.get}. */
export function frozenNetwork(directory: string, digest?: string): Network {
  return shared.get(directory, digest);
}

/** Holds models among those that the process shares; see {@linkcode FrozenNetworks.hold}. */
export function holdNetworks(digests: Iterable<string>): void {
  shared.hold(digests);
}
