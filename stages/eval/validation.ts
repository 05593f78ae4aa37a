/** How well a model foresees demonstrations that were held back. @module */
import type { TokenRow } from "@/lib/contracts/tokens.ts";
import type { Sequence } from "@/lib/train/batching.ts";
import type { Network } from "@/lib/train/network.ts";
import { tokenLogprobs } from "@/lib/train/token_logprobs.ts";
import { clusterMean, type MeanError } from "./cluster_mean.ts";

/** The supervised tokens of demonstrations as targets. The first token of a row cannot be one: nothing predicts it. */
export function supervisedSequences(rows: readonly TokenRow[]): Sequence[] {
  return rows.map(({ inputIds, lossMask }): Sequence => ({
    ids: inputIds,
    targets: Array.from(lossMask, (mask, t) => mask === 1 && t > 0 ? t : -1).filter((t) => t > 0),
  })).filter(({ targets }) => targets.length > 0);
}

/**
 * Mean nats per supervised token, pooled over all demonstrations; the standard error is over demonstrations.
 * @param sequences at least one, each with targets
 */
export function validationNll(
  network: Network,
  sequences: readonly Sequence[],
): MeanError & { readonly n: number } {
  const clusters = tokenLogprobs(network, sequences).map((logprobs) => ({
    sum: -logprobs.reduce((sum, logprob) => sum + logprob, 0),
    weight: logprobs.length,
  }));
  return { ...clusterMean(clusters), n: clusters.length };
}
