/**
 * Frozen models by content: the rounds of a run score with the same base, SFT model and members again and again, so
 * their weights stay in memory, the least recently used ones leaving first. Adapters on one base share its weights.
 * @module
 */
import { digestDirectory } from "@/lib/files/digest.ts";
import { loadFrozenModel } from "@/lib/models/checkpoint.ts";
import { Network } from "@/lib/train/network.ts";

/** Networks that stay loaded between uses. */
export class FrozenNetworks {
  readonly #networks = new Map<string, Network>();

  /** @param keptBytes of weights; the network that was asked for last stays whatever its size */
  constructor(readonly keptBytes: number) {}

  /**
   * The network of a model directory.
   * @param digest of the directory; computed where it is not known
   * @throws {DataError} if it holds no language model
   */
  get(directory: string, digest = digestDirectory(directory).digest): Network {
    const known = this.#networks.get(digest);
    this.#networks.delete(digest); // put back last: a Map keeps the order of insertion
    const { model, parameters } = known ?? loadFrozenModel(directory);
    const network = known ?? new Network(model, parameters);
    this.#networks.set(digest, network);
    let bytes = 0;
    const counted = new Set<Float32Array>(); // a backbone that several stand on takes memory once
    for (const [key, { parameters: { data, backbone } }] of [...this.#networks].reverse()) {
      for (const weights of backbone ? [data, backbone.data] : [data]) {
        if (!counted.has(weights)) bytes += weights.byteLength;
        counted.add(weights);
      }
      if (bytes > this.keptBytes && key !== digest) this.#networks.delete(key);
    }
    return network;
  }
}

const shared = new FrozenNetworks(4e9);

/** The network of a model directory, from those that the process shares; as {@linkcode FrozenNetworks.get}. */
export function frozenNetwork(directory: string, digest?: string): Network {
  return shared.get(directory, digest);
}
