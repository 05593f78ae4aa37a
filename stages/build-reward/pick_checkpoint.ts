/**
 * Picks the SFT checkpoint with the most informative reward: SFT's loss keeps decreasing while its reward gets worse, so the last
 * one need not be the best. In: responses with scores by a checker. Out: the chosen models, and why.
 * @module
 */
import { scoredRows } from "@/lib/model/reward/scored_rows.ts";
import type { RewardPart, RewardParts } from "./check_models.ts";
import { type CheckedResponses, measure, type Setup } from "./measure.ts";
import { type Preflight, preflight, rated } from "./preflight.ts";
import { rewardRule } from "./reward_rule.ts";
import { signedScore } from "./verdict.ts";

/** Preflight of one candidate. */
export interface Candidate
  extends
    Pick<Preflight, "best_score" | "worst_score" | "gain" | "gain_stderr" | "within_prompt_correlation"> {
  /** `members`, or `checkpoints[0]`, or `checkpoints[0]/000063` of a directory of checkpoints */
  readonly name: string;
}

/** The chosen candidate, and all candidates. */
export interface Choice {
  readonly chosen: string;
  readonly candidates: readonly Candidate[];
  /** one sentence */
  readonly reason: string;
}

/**
 * Returns the members, or the one checkpoint instead of them, with the largest gain: score of the best response by reward minus the
 * average score. Of equal gains the members are taken, then the earlier checkpoint.
 */
export async function pickCheckpoint(
  setup: Setup,
  parts: RewardParts,
  { rows, scores }: CheckedResponses,
): Promise<{ readonly members: readonly RewardPart[]; readonly choice: Choice }> {
  const { params, eosIds } = setup, { base, baseline } = parts;
  const offered = new Map([
    ["members", parts.members],
    ...parts.checkpoints.map((part) => [part.role, [part]] as const),
  ]);
  const candidates: Candidate[] = [];
  for (const [name, members] of offered) {
    const { logprobs } = await measure(setup, { members, base, baseline }, rows);
    const baseWeight = params.base_weight === "auto" ? 1 : params.base_weight; // auto is refused with reward_checkpoint
    const rule = rewardRule(params, { eosIds, members: members.length, baseWeight });
    const found = preflight(rated(scoredRows(rows, logprobs, rule), scores));
    const { best_score, worst_score, gain, gain_stderr, within_prompt_correlation } = found;
    candidates.push({ name, best_score, worst_score, gain, gain_stderr, within_prompt_correlation });
  }
  const { name: chosen } = candidates.reduce((best, one) => one.gain > best.gain ? one : best);
  const gains = candidates.map(({ name, gain, gain_stderr: error }) =>
    `${name} ${signedScore(gain)} ± ${error.toFixed(3)}`
  );
  const reason = `Reward checkpoint: ${chosen}. Gain in score of the best response by reward: ${
    gains.join(", ")
  }.`;
  return { members: offered.get(chosen)!, choice: { chosen, candidates, reason } };
}
