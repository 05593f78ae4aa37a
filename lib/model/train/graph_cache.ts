/**
 * Compiled graphs by key: networks of one architecture (policy, critic, reward members) share them. A graph that was
 * dropped from the cache stays usable where it is bound; its session is released with the last reference to it.
 * @module
 */
import { RecentlyUsed } from "./recently_used.ts";

/**
 * Graphs in the cache. A session keeps its intermediate tensors allocated, about 20 MB for 2,000 tokens of the
 * quickstart's model. The quickstart needs about 60 graphs; rows of 100 to 1,000 tokens have about 90 shapes, each with
 * a graph for scoring and one for training.
 */
const MOST_GRAPHS = 256;

const graphs = new RecentlyUsed<unknown>(MOST_GRAPHS);

/** Returns the graph of `key`, created by `make` if it is not in the cache. */
export function cached<T>(key: string, make: () => T): T {
  return graphs.get(key, make) as T;
}
