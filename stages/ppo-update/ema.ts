/** A moving average of the policy's weights. @module */
import type { ParameterVector } from "@/lib/models/parameters.ts";

/**
 * ema ← decay · ema + (1 − decay) · weights, in place; for an adapter its own weights, not the backbone's.
 *
 * Source: Polyak & Juditsky 1992; for PPO: OpenRLHF `--ema_beta`, DeepSpeed-Chat. No correction for the start: the average begins as the policy.
 * @param decay in (0, 1)
 */
export function updateEma(ema: ParameterVector, weights: ParameterVector, decay: number): void {
  const to = ema.data, from = weights.data;
  for (let i = 0; i < to.length; i++) to[i] = decay * to[i]! + (1 - decay) * from[i]!;
}
