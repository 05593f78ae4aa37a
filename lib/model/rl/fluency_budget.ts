/** A bound on the rise of the policy's NLL under the base. @module */

/** Settings of the budget. */
export interface FluencyBudget {
  /** allowed rise of the base's NLL of the samples over the first iteration's, nats per token, at least 0 */
  readonly budget: number;
  /** the factor is multiplied by this in an iteration beyond the budget; above 1 */
  readonly growth: number;
}

/**
 * Returns the next factor on beta: factor · growth beyond the budget; within it factor / growth, but at least 1.
 *
 * Source: ours. −log π_base is part of the reward, so PPO raises the NLL under the base although the quality of the text falls. A stronger
 * penalty lowers it again, and is then relaxed.
 *
 * @param factor at least 1
 * @param rise NLL of the iteration's samples under the base minus the first iteration's, nats per token
 * @throws {RangeError} if a setting is out of range
 * @example Beyond the budget, then within it
 * ```ts
 * import { fluencyFactor } from "@/lib/model/rl/fluency_budget.ts";
 * import { assertEquals } from "@std/assert";
 * const budget = { budget: 0.05, growth: 2 };
 * assertEquals([fluencyFactor(1, 0.06, budget), fluencyFactor(2, 0.06, budget), fluencyFactor(4, 0.04, budget)], [2, 4, 2]);
 * assertEquals(fluencyFactor(1, -0.3, budget), 1);
 * ```
 */
export function fluencyFactor(factor: number, rise: number, { budget, growth }: FluencyBudget): number {
  if (!(factor >= 1 && budget >= 0 && growth > 1 && Number.isFinite(rise))) {
    throw new RangeError(
      `The fluency budget requires factor ≥ 1, budget ≥ 0, growth > 1 and a finite rise, got ` +
        `factor ${factor}, budget ${budget}, growth ${growth}, rise ${rise}`,
    );
  }
  return rise > budget ? factor * growth : Math.max(1, factor / growth);
}
