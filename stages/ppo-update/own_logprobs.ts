/**
 * The policy's own log-probabilities of the rollouts, by the graph that trains it, and how far the sampler's are from them.
 * @module
 */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { type LogprobGap, logprobGap, truncatedImportance } from "@/lib/rl/importance_sampling.ts";
import { responseSequence } from "@/lib/reward/reward_model.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { yieldToEventLoop } from "@/lib/train/event_loop.ts";
import { microBatches, scatterTokens } from "@/lib/train/batching.ts";
import type { Network } from "@/lib/train/network.ts";
import { ownLogprobsProgram } from "@/lib/train/ppo_programs.ts";
import type { Params } from "./params.ts";

/** The rollouts as the policy sees them. */
export interface OwnRollouts {
  /** with the policy's own log-probabilities, or as they came */
  readonly rows: readonly ScoredRow[];
  /** truncated importance weights, [R] each; absent without a cap */
  readonly importance?: readonly Float64Array[];
  /** absent where nothing was recomputed: the first minibatch then tells */
  readonly gap?: LogprobGap;
}

/**
 * Recomputes the log-probabilities where the parameters ask for it. Everything that follows, ratios and KL, is then the policy's, whatever the sampler
 * was.
 * @throws {DataError} if the sampler is further from the policy than it may be
 */
export async function ownRollouts(
  network: Network,
  rows: readonly ScoredRow[],
  params: Params,
): Promise<OwnRollouts> {
  if (params.old_logprobs === "sampled") return { rows };
  const sequences = rows.map(responseSequence), program = ownLogprobsProgram(params.temperature);
  const none = () => rows.map(() => new Float32Array(0));
  const logprobs = none(), untempered = none();
  for (const micro of microBatches(sequences, params.micro_batch_tokens)) {
    const { batch, positions, targetIds } = micro;
    const { tokens } = network.run({ batch, positions, program, tokens: { id: targetIds } });
    scatterTokens(micro, sequences, tokens.logprob!, logprobs);
    scatterTokens(micro, sequences, tokens.untempered!, untempered);
    await yieldToEventLoop();
  }
  const sampled = rows.map((row) => row.logprobs), gap = logprobGap(logprobs, sampled);
  checkGap(gap, rows, params);
  return {
    rows: rows.map((row, i) => ({
      ...row,
      logprobs: logprobs[i]!,
      logprobsT1: params.temperature === 1 ? null : untempered[i]!,
    })),
    gap,
    ...(params.tis_cap === null
      ? {}
      : { importance: truncatedImportance(logprobs, sampled, params.tis_cap) }),
  };
}

/**
 * Ends the round where the sampler is too far from the policy.
 * @throws {DataError} with what may be the cause
 */
export function checkGap(gap: LogprobGap, rows: readonly { readonly id: string }[], params: Params): void {
  const { max_logprob_gap: bound } = params;
  if (bound === null || gap.meanProbability <= bound) return;
  throw new DataError(
    `Cannot learn from the rollouts as their sampler must agree with the policy: probabilities of sampled tokens differ by ` +
      `${
        gap.meanProbability.toPrecision(3)
      } on average, more than max_logprob_gap ${bound}, and most in row "${rows[gap.worstRow]!.id}" ` +
      `(by ${
        gap.maxProbability.toPrecision(3)
      }). Either the rollouts are of another policy, or temperature (here ${params.temperature}), top_k or ` +
      `top_p of rollout are not those of ppo-update; for rollouts that are off on purpose set tis_cap and raise max_logprob_gap`,
    { column: "logprobs" },
  );
}
