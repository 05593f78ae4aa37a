/** Computes the negative log-likelihood of held-out demonstrations. @module */
import type { Sequence } from "@/lib/model/train/batching.ts";
import type { Work } from "@/lib/model/train/event_loop.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobsWork } from "@/lib/model/train/token_logprobs.ts";
import { clusterMean, type MeanError } from "@/lib/model/benchmarks/statistics/cluster_mean.ts";

/**
 * Computes the mean nats per supervised token, pooled over all demonstrations; the standard error is over demonstrations.
 * @param sequences at least one, each with targets
 */
export function* validationNll(
  network: Network,
  sequences: readonly Sequence[],
): Work<MeanError & { readonly n: number }> {
  const clusters = (yield* tokenLogprobsWork(network, sequences)).map((logprobs) => ({
    sum: -logprobs.reduce((sum, logprob) => sum + logprob, 0),
    weight: logprobs.length,
  }));
  return { ...clusterMean(clusters), n: clusters.length };
}
