/**
 * DPO and SPIN on preference pairs. A pair's loss depends on the log-probabilities of two whole responses, so a forward
 * pass first sums these; the derivative of the loss with respect to a response's log-probability is then the weight of each of
 * its tokens in a supervised pass, whose gradient is exactly that of the loss.
 * @module
 */
import type { PairRow } from "@/lib/data/contracts/pairs.ts";
import { responseSequence } from "@/lib/model/reward/reward_model.ts";
import { dpoLoss, type PairLogprobs, type PairLoss, spinLoss } from "@/lib/model/rl/pair_loss.ts";
import { gatherTokens, microBatches, type Sequence } from "@/lib/model/train/batching.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import type { BatchMetrics, Objective } from "./objective.ts";
import type { Params } from "./params.ts";

/** The parameters of the pair loss. */
export type PairParams = Pick<
  Params,
  "objective" | "beta" | "label_smoothing" | "chosen_nll_coef" | "micro_batch_tokens"
>;

/** A pair as two sequences. */
interface Pair {
  readonly chosen: Sequence;
  readonly rejected: Sequence;
}

/** Returns two sequences per pair: prompt and chosen response, prompt and rejected response. */
export function pairSequences(rows: readonly PairRow[]): Sequence[] {
  return rows.flatMap(({ promptIds, chosenIds, rejectedIds }) => [
    responseSequence({ promptIds, responseIds: chosenIds }),
    responseSequence({ promptIds, responseIds: rejectedIds }),
  ]);
}

/**
 * Returns the mean pair loss as an objective. The reference's log-probabilities are computed once, here.
 * @param reference the reference model; for SPIN the opponent that generated the rejected responses
 */
export function pairObjective(
  rows: readonly PairRow[],
  reference: Network,
  params: PairParams,
): Objective {
  const sequences = pairSequences(rows);
  const pairs = rows.map((_, i): Pair => ({ chosen: sequences[2 * i]!, rejected: sequences[2 * i + 1]! }));
  const referenceLogprobs = pairLogprobs(reference, sequences, params);
  return {
    rows: rows.length,
    accumulate(network, batch) {
      const own = batch.flatMap((row) => [pairs[row]!.chosen, pairs[row]!.rejected]);
      const losses = pairLogprobs(network, own, params).map((logprobs, i) => ({
        logprobs,
        ...lossOf(logprobs, referenceLogprobs[batch[i]!]!, params),
      }));
      return backward(network, own, losses, params);
    },
  };
}

/** Returns log π of both responses of every pair; `sequences` are those of {@linkcode pairSequences}. */
function pairLogprobs(
  network: Network,
  sequences: readonly Sequence[],
  { micro_batch_tokens }: PairParams,
): PairLogprobs[] {
  const sums = tokenLogprobs(network, sequences, micro_batch_tokens).map((row) => {
    let sum = 0; // in f64: the difference of two long responses is small compared with either
    for (const x of row) sum += x;
    return sum;
  });
  return Array.from(
    { length: sums.length / 2 },
    (_, i) => ({ chosen: sums[2 * i]!, rejected: sums[2 * i + 1]! }),
  );
}

function lossOf(
  policy: PairLogprobs,
  reference: PairLogprobs,
  { objective, beta, label_smoothing }: PairParams,
): PairLoss {
  return objective === "spin"
    ? spinLoss(policy, reference, { lambda: beta })
    : dpoLoss(policy, reference, { beta, labelSmoothing: label_smoothing });
}

/** Adds the gradient of mean pair loss + chosen_nll_coef · mean negative log-likelihood of the chosen tokens. */
function backward(
  network: Network,
  sequences: readonly Sequence[],
  losses: readonly (PairLoss & { readonly logprobs: PairLogprobs })[],
  { chosen_nll_coef, micro_batch_tokens }: PairParams,
): BatchMetrics {
  const chosenTokens = sequences.reduce((sum, { targets }, i) => sum + (i % 2 === 0 ? targets.length : 0), 0);
  // The supervised loss is −Σ weight · log p, so a weight is the negative derivative.
  const weights = sequences.map(({ targets }, i) => {
    const slope = losses[i >> 1]!.slope / losses.length;
    const weight = i % 2 === 0 ? chosen_nll_coef / chosenTokens - slope : slope;
    return new Float32Array(targets.length).fill(weight);
  });
  for (const micro of microBatches(sequences, micro_batch_tokens)) {
    const tokens = { id: micro.targetIds, weight: gatherTokens(micro, weights) };
    network.run({ batch: micro.batch, positions: micro.positions, program: SUPERVISED, tokens, train: true });
  }
  const mean = (of: (one: (typeof losses)[number]) => number) =>
    losses.reduce((sum, one) => sum + of(one), 0) / losses.length;
  const nll = -losses.reduce((sum, { logprobs }) => sum + logprobs.chosen, 0) / chosenTokens;
  return {
    loss: mean(({ loss }) => loss) + chosen_nll_coef * nll,
    tokens: sequences.reduce((sum, { ids }) => sum + ids.length, 0),
    more: {
      accuracy: mean(({ chosenReward, rejectedReward }) => chosenReward > rejectedReward ? 1 : 0),
      margin: mean(({ chosenReward, rejectedReward }) => chosenReward - rejectedReward),
      chosen_reward: mean(({ chosenReward }) => chosenReward),
      rejected_reward: mean(({ rejectedReward }) => rejectedReward),
      chosen_logprob: mean(({ logprobs }) => logprobs.chosen),
      rejected_logprob: mean(({ logprobs }) => logprobs.rejected),
      chosen_nll: nll,
    },
  };
}
