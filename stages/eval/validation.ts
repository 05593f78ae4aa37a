/** Computes the negative log-likelihood of held-out demonstrations. @module */
import type { Sequence } from "@/lib/model/train/batching.ts";
import type { Work } from "@/lib/model/train/event_loop.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobsWork } from "@/lib/model/train/token_logprobs.ts";
import type { Clusters } from "@/lib/model/benchmarks/statistics/cluster_mean.ts";

/**
 * Computes the nats and the number of supervised tokens of each demonstration: with `clusterMean()` the mean nats per token, pooled
 * over all demonstrations, with a standard error over demonstrations.
 * @param sequences at least one, each with targets
 */
export function* validationNll(network: Network, sequences: readonly Sequence[]): Work<Clusters> {
  const logprobs = yield* tokenLogprobsWork(network, sequences);
  return new Map(logprobs.map((row, i) => [
    `${i}`,
    { sum: -row.reduce((sum, logprob) => sum + logprob, 0), weight: row.length },
  ]));
}
