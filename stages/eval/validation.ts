/** Negative log-likelihood of held-out demonstrations. @module */
import type { TokenRow } from "@/lib/contracts/tokens.ts";
import type { Sequence } from "@/lib/train/batching.ts";
import type { Work } from "@/lib/train/breathe.ts";
import type { Network } from "@/lib/train/network.ts";
import { tokenLogprobsWork } from "@/lib/train/token_logprobs.ts";
import { clusterMean, type MeanError } from "./cluster_mean.ts";

/** Returns demonstrations with their supervised tokens as targets. The first token of a row cannot be one: nothing predicts it. */
export function validationSequences(rows: readonly TokenRow[]): Sequence[] {
  return rows.map(({ inputIds, lossMask }): Sequence => ({
    ids: inputIds,
    targets: Array.from(lossMask, (mask, t) => mask === 1 && t > 0 ? t : -1).filter((t) => t > 0),
  })).filter(({ targets }) => targets.length > 0);
}

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
