/** The advantage estimators by name, and those without a critic as one function of the rewards. @module */
import { gae } from "./gae.ts";
import { groupMeanBaseline, grpo, rloo } from "./group_baselines.ts";
import { checkEqualLengths, type Row, type Rows } from "./rows.ts";

/** Names of the estimators, as parameters spell them. */
export const ADVANTAGE_ESTIMATORS = [
  "gae",
  "reinforce",
  "reinforce_pp",
  "reinforce_pp_baseline",
  "rloo",
  "grpo",
  "dr_grpo",
  "dapo",
] as const;

/** One of {@linkcode ADVANTAGE_ESTIMATORS}. */
export type AdvantageEstimator = typeof ADVANTAGE_ESTIMATORS[number];

/** Those without a critic. */
export type CriticFreeEstimator = Exclude<AdvantageEstimator, "gae">;

/** Estimators whose baseline is the other responses to the same prompt. */
export const GROUP_ESTIMATORS: readonly AdvantageEstimator[] = [
  "reinforce_pp_baseline",
  "rloo",
  "grpo",
  "dr_grpo",
  "dapo",
];

/**
 * Returns the advantages of every token without a critic, [R] each, before whitening.
 *
 * With G_t = Σ_{k≥t} γ^{k−t}·r_k and s = Σ_t r_t of a response:
 * - `reinforce`, `reinforce_pp`: A_t = G_t. Williams 1992; whitened over the batch it is REINFORCE++ (Hu 2025, arXiv:2501.03262).
 * - `rloo`: A_t = s − mean of s over the OTHER responses to the prompt (Ahmadian et al. 2024, arXiv:2402.14740).
 * - `reinforce_pp_baseline`, `dr_grpo`: A_t = s − mean of s over the prompt's responses (Liu et al. 2025, arXiv:2503.20783).
 * - `grpo`, `dapo`: that over the group's deviation + ε (Shao et al. 2024, arXiv:2402.03300; Yu et al. 2025, arXiv:2503.14476).
 *
 * s includes the KL penalty of the whole response where that is in the reward, as in TRL's RLOO and verl; OpenRLHF takes the baseline of the score alone.
 *
 * @param rewards of every token: KL penalty and score
 * @param options.groups the prompt of each response; used by the group estimators
 * @param options.epsilon ε; default 1e-4, as in TRL
 * @throws {ShapeError} if there are not as many groups as rows
 * @throws {RangeError} if γ is not in [0, 1], or a group is too small
 * @example Two responses to one prompt
 * ```ts
 * import { criticFreeAdvantages } from "@/lib/model/rl/advantage_estimators.ts";
 * import { assertEquals } from "@std/assert";
 * const rewards = [[-1, 5], [2]], options = { gamma: 1, groups: [0, 0] };
 * assertEquals(criticFreeAdvantages("reinforce", rewards, options).map((row) => [...row]), [[4, 5], [2]]);
 * assertEquals(criticFreeAdvantages("rloo", rewards, options).map((row) => [...row]), [[2, 2], [-2]]);
 * ```
 */
export function criticFreeAdvantages(
  kind: CriticFreeEstimator,
  rewards: Rows,
  { gamma, groups, epsilon = 1e-4 }: {
    readonly gamma: number;
    readonly groups: Row;
    readonly epsilon?: number;
  },
): Float64Array<ArrayBuffer>[] {
  checkEqualLengths({ rewards, groups });
  if (kind === "reinforce" || kind === "reinforce_pp") {
    // With no critic and λ = 1 the advantage is the return itself.
    return rewards.map((row) =>
      gae({ rewards: row, values: new Float64Array(row.length), gamma, lambda: 1 }).advantages
    );
  }
  const scores = rewards.map((row) => Array.from(row).reduce((a, b) => a + b, 0));
  const normalised = () => grpo(scores, groups, { epsilon }),
    centred = () => groupMeanBaseline(scores, groups);
  const perResponse = {
    rloo: () => rloo(scores, groups),
    reinforce_pp_baseline: centred,
    dr_grpo: centred,
    grpo: normalised,
    dapo: normalised,
  }[kind]();
  return rewards.map((row, b) => new Float64Array(row.length).fill(perResponse[b]!));
}
