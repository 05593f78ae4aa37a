/**
 * Frozen models by content: the rounds of a run score with the same base, SFT model and members again and again, so
 * their weights stay in memory, the least recently used ones leaving first.
 * @module
 */
import { digestDirectory } from "@/lib/files/digest.ts";
import { loadLanguageModel } from "@/lib/models/checkpoint.ts";
import { Network } from "@/lib/train/network.ts";

/** Bytes of weights that stay in memory between uses. */
const KEPT_BYTES = 4e9;

const networks = new Map<string, Network>();

/**
 * The network of a model directory.
 * @param digest of the directory; computed where it is not known
 * @throws {DataError} if it holds no language model
 */
export function frozenNetwork(directory: string, digest = digestDirectory(directory).digest): Network {
  const known = networks.get(digest);
  networks.delete(digest); // put back last: a Map keeps the order of insertion
  const { model, parameters } = known ?? loadLanguageModel(directory);
  const network = known ?? new Network(model, parameters);
  networks.set(digest, network);
  let bytes = 0;
  for (const [key, { parameters: { data } }] of [...networks].reverse()) {
    bytes += data.byteLength;
    if (bytes > KEPT_BYTES && key !== digest) networks.delete(key);
  }
  return network;
}
