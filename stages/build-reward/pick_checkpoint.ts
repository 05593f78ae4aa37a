/**
 * Which SFT checkpoint makes the better reward: SFT's own loss goes on falling while its reward gets worse, so the last one
 * need not be it. In: answers that a checker judged. Out: the models whose reward picks the best ones, and why.
 * @module
 */
import { scoredRows } from "@/lib/reward/scored_rows.ts";
import type { CheckedAnswers } from "./build_reward.ts";
import type { RewardPart, RewardParts } from "./check_models.ts";
import { hear, type Tryout } from "./hear_answers.ts";
import { type Preflight, preflight, rated } from "./preflight.ts";
import { rewardRule } from "./reward_rule.ts";

/** Figures of one candidate. */
export interface Candidate
  extends
    Pick<Preflight, "best_score" | "worst_score" | "gain" | "gain_stderr" | "within_prompt_correlation"> {
  /** `members`, or `checkpoints[0]`, or `checkpoints[0]/000063` of a directory of checkpoints */
  readonly name: string;
}

/** What was chosen, and from what. */
export interface Choice {
  readonly chosen: string;
  readonly candidates: readonly Candidate[];
  /** one sentence for a person */
  readonly reason: string;
}

/**
 * The members, or the one checkpoint in their place, of the largest gain: best answer by reward minus average one. Where gains
 * are equal the members stay, then the earlier checkpoint is taken.
 */
export async function pickCheckpoint(
  tryout: Tryout,
  parts: RewardParts,
  { rows, scores }: CheckedAnswers,
): Promise<{ readonly members: readonly RewardPart[]; readonly choice: Choice }> {
  const { params, eosIds } = tryout, { base, baseline } = parts;
  const offered = [
    { name: "members", members: parts.members },
    ...parts.checkpoints.map((part) => ({ name: part.role, members: [part] })),
  ];
  const candidates: Candidate[] = [];
  for (const { name, members } of offered) {
    const { logprobs } = await hear(tryout, { members, base, baseline }, rows);
    const rule = rewardRule(params, { eosIds, members: members.length });
    const found = preflight(rated(scoredRows(rows, logprobs, rule), scores));
    const { best_score, worst_score, gain, gain_stderr, within_prompt_correlation } = found;
    candidates.push({ name, best_score, worst_score, gain, gain_stderr, within_prompt_correlation });
  }
  const best = candidates.reduce((best, candidate) => candidate.gain > best.gain ? candidate : best);
  const told = candidates.map(({ name, gain, gain_stderr: error }) =>
    `${name} ${gain < 0 ? "−" : "+"}${Math.abs(gain).toFixed(3)} ± ${error.toFixed(3)}`
  );
  const reason = `The reward is that of ${best.name}, whose choice of answers gains most in score: ${
    told.join(", ")
  }.`;
  const { members } = offered.find(({ name }) => name === best.name)!;
  return { members, choice: { chosen: best.name, candidates, reason } };
}
