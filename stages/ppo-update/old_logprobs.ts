/** Old log-probabilities: those of the policy before any update, and their distance from the sampler's. @module */
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { type LogprobGap, logprobGap, truncatedImportance } from "@/lib/model/rl/importance_sampling.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { microBatches, scatterTokens } from "@/lib/model/train/batching.ts";
import { yieldToEventLoop } from "@/lib/model/train/event_loop.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { temperedLogprobsProgram } from "@/lib/model/train/ppo_programs.ts";
import type { Params } from "./params.ts";
import { type Rollout, rolloutOf } from "./trajectory.ts";

/**
 * Returns the rollouts with old log-probabilities: recomputed by the graph that trains the policy, or the sampler's own (`old_logprobs`).
 * @returns `gap` between the two; absent where nothing was recomputed: the first update then measures it
 * @throws {DataError} if the gap exceeds max_logprob_gap
 */
export async function withOldLogprobs(
  policy: Network,
  rows: readonly ScoredRow[],
  params: Params,
): Promise<{ readonly rollouts: readonly Rollout[]; readonly gap?: LogprobGap }> {
  const sampled = rows.map(rolloutOf), sequences = sampled.map(({ sequence }) => sequence);
  if (params.old_logprobs === "sampled") return { rollouts: sampled };
  const program = temperedLogprobsProgram(params.temperature);
  const logprobs: Float32Array[] = [];
  for (const micro of microBatches(sequences, params.micro_batch_tokens)) {
    const { batch, positions, targetIds } = micro;
    const { tokens } = policy.run({ batch, positions, program, tokens: { id: targetIds } });
    scatterTokens(micro, sequences, tokens.logprob!, logprobs);
    await yieldToEventLoop();
  }
  const bySampler = sampled.map(({ oldLogprobs }) => oldLogprobs), gap = logprobGap(logprobs, bySampler);
  checkLogprobGap(gap, sampled, params);
  const importance = params.tis_cap === null
    ? undefined
    : truncatedImportance(logprobs, bySampler, params.tis_cap);
  const rollouts = sampled.map((rollout, i) => ({
    ...rollout,
    oldLogprobs: logprobs[i]!,
    klLogprobs: logprobs[i]!,
    ...(importance ? { importance: importance[i]! } : {}),
  }));
  return { rollouts, gap };
}

/**
 * Checks that the sampler's probabilities are those of the policy.
 * @param rollouts those that the gap was measured on
 * @throws {DataError} naming the worst row and the likely causes
 */
export function checkLogprobGap(
  gap: LogprobGap,
  rollouts: readonly { readonly id: string }[],
  { max_logprob_gap: limit, temperature }: Params,
): void {
  if (limit === null || gap.meanProbability <= limit) return;
  const mean = gap.meanProbability.toPrecision(3), largest = gap.maxProbability.toPrecision(3);
  throw new DataError(
    `Rollouts were not sampled from this policy: mean |p − p_sampler| must be at most ${limit} (max_logprob_gap), got ${mean}; ` +
      `the largest is ${largest}, in row "${
        rollouts[gap.worstRow]!.id
      }". Check that the rollouts were sampled from this policy, and that ` +
      `temperature (here ${temperature}), top_k and top_p are the same in rollout and ppo-update. For rollouts from another ` +
      `policy (quantised, older), set tis_cap and raise max_logprob_gap`,
    { column: "logprobs" },
  );
}
