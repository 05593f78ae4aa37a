/**
 * Computes the audit reward: the reward of a model that was trained on demonstrations which neither the policy nor the trained
 * reward has seen. In: log-probabilities. Out: metrics per response. Pure.
 * @module
 */
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { type RewardRule, scoredRows } from "@/lib/model/reward/scored_rows.ts";

/** Audit metrics of one response, in nats. */
export interface AuditMetrics {
  readonly audit_reward: number;
  /** without the reward of EOS, which is large wherever the base model rarely ends a response */
  readonly audit_reward_without_eos: number;
}

/**
 * Returns the audit metrics of each row: the sum of its token rewards with the audit model as the only member, the base as the
 * baseline, and the guards of the trained reward.
 * @param rows responses, with the log-probabilities of the base
 * @param audit log-probabilities of the audit model, [rows][R], nats
 */
export function auditMetrics(
  rows: readonly ScoredRow[],
  audit: readonly Float32Array[],
  rule: RewardRule,
): AuditMetrics[] {
  const base = rows.map(({ baseLogprobs }) => baseLogprobs), ends = new Set(rule.eosIds);
  const baseNll = rows.map((row) => row.baseNll);
  const logprobs = { sft: audit, members: [audit], base, baseline: base, baseNll };
  // A single member: minimum, lower bound and averaged weights are the member itself.
  return scoredRows(rows, logprobs, { ...rule, combine: "mean" }).map(({ tokenRewards, responseIds }) => {
    const sum = (counts: (id: number) => boolean) =>
      tokenRewards.reduce((total, reward, t) => counts(responseIds[t]!) ? total + reward : total, 0);
    return { audit_reward: sum(() => true), audit_reward_without_eos: sum((id) => !ends.has(id)) };
  });
}
