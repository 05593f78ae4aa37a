/**
 * Learning from pairs: DPO and SPIN. A pair's loss depends on the log-probabilities of two whole answers, so a forward
 * pass first sums these; the slope of the loss with regard to an answer's log-probability is then the weight of each of
 * its tokens in a supervised pass, whose gradient is exactly that of the loss.
 * @module
 */
import type { PairRow } from "@/lib/contracts/pairs.ts";
import { responseSequence } from "@/lib/reward/reward_model.ts";
import { dpoLoss, type PairLogprobs, type PairLoss, spinLoss } from "@/lib/rl/pair_loss.ts";
import { gatherTokens, microBatches, type Sequence } from "@/lib/train/batching.ts";
import type { Network } from "@/lib/train/network.ts";
import { SUPERVISED } from "@/lib/train/programs.ts";
import { tokenLogprobs } from "@/lib/train/token_logprobs.ts";
import type { BatchFigures, Objective } from "./objective.ts";
import type { Params } from "./params.ts";

/** The parameters that say what a pair costs. */
export type PairParams = Pick<
  Params,
  "objective" | "beta" | "label_smoothing" | "chosen_nll_coef" | "micro_batch_tokens"
>;

/** A pair as two sequences. */
interface Pair {
  readonly chosen: Sequence;
  readonly rejected: Sequence;
}

/** The two answers of each pair, one behind the other, each after its prompt. */
export function pairSequences(rows: readonly PairRow[]): Sequence[] {
  return rows.flatMap(({ promptIds, chosenIds, rejectedIds }) => [
    responseSequence({ promptIds, responseIds: chosenIds }),
    responseSequence({ promptIds, responseIds: rejectedIds }),
  ]);
}

/**
 * The mean loss of pairs against a reference, which is asked once, here.
 * @param reference the model that the policy is held to; for SPIN the opponent that gave the rejected answers
 */
export function pairObjective(
  rows: readonly PairRow[],
  reference: Network,
  params: PairParams,
): Objective {
  const sequences = pairSequences(rows);
  const pairs = rows.map((_, i): Pair => ({ chosen: sequences[2 * i]!, rejected: sequences[2 * i + 1]! }));
  const referenceLogprobs = answerLogprobs(reference, sequences, params);
  return {
    rows: rows.length,
    accumulate(network, batch) {
      const own = batch.flatMap((row) => [pairs[row]!.chosen, pairs[row]!.rejected]);
      const losses = answerLogprobs(network, own, params).map((logprobs, i) => ({
        logprobs,
        ...lossOf(logprobs, referenceLogprobs[batch[i]!]!, params),
      }));
      return backward(network, own, losses, params);
    },
  };
}

/** log π of both answers of every pair; `sequences` as {@linkcode pairSequences} gives them. */
function answerLogprobs(
  network: Network,
  sequences: readonly Sequence[],
  { micro_batch_tokens }: PairParams,
): PairLogprobs[] {
  const sums = tokenLogprobs(network, sequences, micro_batch_tokens).map((row) => {
    let sum = 0; // in f64: a difference of two long answers is small beside either
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
): BatchFigures {
  const chosenTokens = sequences.reduce((sum, { targets }, i) => sum + (i % 2 === 0 ? targets.length : 0), 0);
  // The supervised loss is −Σ weight · log p: a weight is the negative slope.
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
