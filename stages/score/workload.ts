/** The work of scoring an iteration's rollouts, for the estimate of a run's time. @module */
import { times, type WorkContext, type Workload } from "@/lib/data/contracts/workload.ts";
import type { Params } from "./params.ts";

/** Returns the tokens of an iteration; undefined without an expected number of rollouts and of models. */
export function scoreWorkload({ expected }: WorkContext<Params>): Workload | undefined {
  const { rollouts, rolloutTokens, rewardModels } = expected;
  if (rollouts === undefined || rolloutTokens === undefined || rewardModels === undefined) return undefined;
  return { scored: times(rolloutTokens, rollouts * (rewardModels + 1)) }; // and the SFT model
}
