/** The work of an iteration's updates, for the estimate of a run's time. @module */
import { times, type WorkContext, type Workload } from "@/lib/data/contracts/workload.ts";
import { isCriticFree, type Params } from "./params.ts";

/** The parameters that decide. */
type WorkParams = Pick<
  Params,
  "advantage_estimator" | "critic_warmup_iterations" | "old_logprobs" | "epochs" | "minibatch_size"
>;

/** Returns the tokens of an iteration; undefined without an expected number of rollouts. */
export function ppoWorkload({ params, iterations, expected }: WorkContext<WorkParams>): Workload | undefined {
  const { rollouts, rolloutTokens } = expected;
  if (rollouts === undefined || rolloutTokens === undefined) return undefined;
  const critics = isCriticFree(params) ? 0 : 1, warmup = critics * params.critic_warmup_iterations;
  const updating = Math.max(0, iterations - warmup) / iterations;
  const passes = (params.old_logprobs === "recomputed" ? 1 : 0) + critics;
  const updates = params.epochs * Math.ceil(rollouts / params.minibatch_size);
  return {
    trained: times(rolloutTokens, rollouts * params.epochs * (updating + critics)),
    scored: times(rolloutTokens, rollouts * passes),
    expected: { policyUpdates: updates * Math.max(0, iterations - warmup) },
  };
}
