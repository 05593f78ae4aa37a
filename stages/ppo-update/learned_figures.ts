/** What was paid in a round, and what the critic made of it, before any update. Pure. @module */
import { moments } from "@/lib/rl/moments.ts";
import type { Advantages } from "./advantages.ts";
import type { Earned, Pay } from "./pay.ts";

/**
 * Figures of pay, advantages and critic.
 * @param klPenalty weight of the KL penalty times the KL to its reference, nats per response
 */
export function learnedFigures(
  { earned, pay }: { readonly earned: readonly Earned[]; readonly pay: Pay },
  { advantages, critic, learned }: Advantages,
  klPenalty: number,
): Record<string, number> {
  const of = (rows: readonly Float64Array[]) => learned.map((i) => rows[i]!);
  const spread = (rows: readonly Float64Array[]) => Math.sqrt(moments(of(rows)).variance);
  const { mean: advantage } = moments(of(advantages));
  let least = Infinity, most = -Infinity;
  for (const row of of(advantages)) {
    for (const a of row) [least, most] = [Math.min(least, a), Math.max(most, a)];
  }
  const explained = critic?.explainedVariance ?? null;
  return {
    scaled_reward: moments([pay.scores]).mean,
    kl_penalty: klPenalty,
    total_reward: moments([earned.map(({ reward }) => reward)]).mean - klPenalty,
    trained_responses: learned.length,
    ...(learned.length === 0 ? {} : {
      advantage_mean: advantage,
      advantage_min: least,
      advantage_max: most,
    }),
    ...(critic && learned.length > 0
      ? {
        return_mean: moments(of(critic.returns)).mean,
        return_std: spread(critic.returns),
        value_mean: moments(of(critic.values)).mean,
        value_std: spread(critic.values),
        ...(critic.bootstraps.length === 0 ? {} : { bootstrap_mean: moments([critic.bootstraps]).mean }),
      }
      : {}),
    ...(explained === null ? {} : { explained_variance: explained }),
  };
}
