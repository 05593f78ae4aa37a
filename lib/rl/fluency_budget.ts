/** A bound on how unlikely the base may come to find the policy's text. @module */

/** The budget's settings. */
export interface FluencyBudget {
  /** nats per token that the base's NLL of the samples may rise over the first round's, at least 0 */
  readonly budget: number;
  /** what the factor is multiplied by in a round beyond the budget, above 1 */
  readonly growth: number;
}

/**
 * The next factor on the KL coefficient: factor · growth beyond the budget; within it factor / growth, but at least 1.
 *
 * Source: ours. −log π_base is part of the reward, so PPO is paid for text that the base finds unlikely: its NLL rises although the score falls. A
 * stronger penalty brings it back, and is given up again when it has.
 *
 * @param factor at least 1
 * @param rise NLL of the round's samples under the base minus the first round's, nats per token
 * @throws {RangeError} if a setting is out of range
 * @example Beyond the budget, then within it
 * ```ts
 * import { fluencyFactor } from "@/lib/rl/fluency_budget.ts";
 * import { assertEquals } from "@std/assert";
 * const budget = { budget: 0.05, growth: 2 };
 * assertEquals([fluencyFactor(1, 0.06, budget), fluencyFactor(2, 0.06, budget), fluencyFactor(4, 0.04, budget)], [2, 4, 2]);
 * assertEquals(fluencyFactor(1, -0.3, budget), 1);
 * ```
 */
export function fluencyFactor(factor: number, rise: number, { budget, growth }: FluencyBudget): number {
  if (!(factor >= 1 && budget >= 0 && growth > 1 && Number.isFinite(rise))) {
    throw new RangeError(
      `Cannot keep a fluency budget as factor must be at least 1, budget at least 0, growth above 1 and the rise finite: ` +
        `factor is ${factor}, budget is ${budget}, growth is ${growth}, rise is ${rise}`,
    );
  }
  return rise > budget ? factor * growth : Math.max(1, factor / growth);
}
