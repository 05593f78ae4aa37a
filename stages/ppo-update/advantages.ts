/**
 * From what is paid to what the two losses need: values, advantages, returns. Pure; the critic's output comes in as numbers.
 * @module
 */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { criticFreeAdvantages, GROUP_ESTIMATORS } from "@/lib/rl/advantage_estimators.ts";
import { explainedVariance } from "@/lib/rl/explained_variance.ts";
import { gae } from "@/lib/rl/gae.ts";
import { moments } from "@/lib/rl/moments.ts";
import type { RewardScale } from "@/lib/rl/ppo_rewards.ts";
import { residualBootstrap, residualPrefix, residualValues } from "@/lib/rl/residual_critic.ts";
import { whiten } from "@/lib/rl/whiten.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { CriticHeads } from "./critic_heads.ts";
import type { Params } from "./params.ts";
import { type Earned, goesOn, isCut, type Pay } from "./pay.ts";

/** What whitening adds to the variance, as `whiten()`. */
const EPSILON = 1e-8;

/** What the critic makes of the round, one array per rollout. */
export interface CriticFigures {
  /** what is added to the critic's output: 0 without a residual critic */
  readonly offsets: readonly Float64Array[];
  readonly values: readonly Float64Array[];
  readonly returns: readonly Float64Array[];
  /** values behind the last tokens of responses that go on there */
  readonly bootstraps: readonly number[];
  /** 1 − Var(returns − values) / Var(returns) at the rollouts; null where returns do not vary */
  readonly explainedVariance: number | null;
}

/** Per-token figures of the round, one array per rollout. */
export interface Advantages {
  readonly advantages: readonly Float64Array[];
  /** absent where the estimator needs no critic */
  readonly critic?: CriticFigures;
  /** what whitening divided by, 1 without it: a KL penalty in the loss is divided by it too */
  readonly deviation: number;
  /** rollouts that are learned from: all, or those that ended by themselves */
  readonly learned: readonly number[];
}

/**
 * Advantages of a round.
 * @param heads not used without a critic
 * @throws {DataError} naming prompts with a single answer, where the estimator compares answers
 */
export function advantagesOf(
  rows: readonly ScoredRow[],
  paid: { readonly earned: readonly Earned[]; readonly pay: Pay; readonly scale: RewardScale },
  heads: CriticHeads,
  params: Params,
): Advantages {
  const learned = [...rows.keys()].filter((i) => params.missing_eos !== "mask" || !isCut(rows[i]!));
  const { raw, critic } = params.advantage_estimator === "gae"
    ? withCritic(rows, paid, heads, params, learned)
    : { raw: withoutCritic(rows, paid.pay, params), critic: undefined };
  const counted = learned.map((i) => raw[i]!);
  const { count, variance } = moments(counted);
  const isWhitened = params.whiten_advantages && count > 1;
  const white = params.whiten_advantages ? whiten(counted, { epsilon: EPSILON }) : counted;
  const bound = params.advantage_clip;
  const advantages: Float64Array[] = raw.map((row) => new Float64Array(row.length));
  learned.forEach((i, k) => {
    advantages[i] = bound === null ? white[k]! : white[k]!.map((a) => Math.min(Math.max(a, -bound), bound));
  });
  return {
    advantages,
    ...(critic ? { critic } : {}),
    deviation: isWhitened ? Math.sqrt(variance + EPSILON) : 1,
    learned,
  };
}

function withCritic(
  rows: readonly ScoredRow[],
  { earned, pay, scale }: {
    readonly earned: readonly Earned[];
    readonly pay: Pay;
    readonly scale: RewardScale;
  },
  heads: CriticHeads,
  params: Params,
  learned: readonly number[],
): { raw: Float64Array[]; critic: CriticFigures } {
  const { residual_critic, gamma, lambda } = params;
  const offsets = rows.map((row, i) =>
    residual_critic
      ? residualPrefix(earned[i]!.tokens, scale.scale)
      : new Float64Array(row.responseIds.length)
  );
  const values = offsets.map((offset, i) => residualValues(heads.tokens[i]!, offset));
  const bootstraps = rows.map((row, i) => {
    if (!goesOn(row, params)) return undefined;
    const head = heads.behind[i]!;
    return residual_critic ? residualBootstrap(head, earned[i]!.tokens, scale.scale) : head;
  });
  const estimates = pay.rewards.map((rewards, i) => {
    const bootstrap = bootstraps[i];
    return gae({
      rewards,
      values: values[i]!,
      gamma,
      lambda,
      ...(bootstrap === undefined ? {} : { bootstrap }),
    });
  });
  const returns = estimates.map((estimate) => estimate.returns);
  const of = (figures: readonly Float64Array[]) => learned.map((i) => figures[i]!);
  return {
    raw: estimates.map((estimate) => estimate.advantages),
    critic: {
      offsets,
      values,
      returns,
      bootstraps: bootstraps.filter((bootstrap) => bootstrap !== undefined),
      explainedVariance: explainedVariance(of(values), of(returns)),
    },
  };
}

function withoutCritic(
  rows: readonly ScoredRow[],
  pay: Pay,
  { advantage_estimator: kind, gamma }: Params,
): Float64Array[] {
  if (kind === "gae") {
    throw new RangeError(`Cannot do without a critic as the estimator needs one: it is ${kind}`);
  }
  const prompts = new Map([...new Set(rows.map(({ promptId }) => promptId))].map((id, group) => [id, group]));
  const groups = rows.map(({ promptId }) => prompts.get(promptId)!);
  checkGroups(rows, kind);
  return criticFreeAdvantages(kind, pay.rewards, { gamma, groups });
}

function checkGroups(rows: readonly ScoredRow[], kind: Params["advantage_estimator"]): void {
  if (!GROUP_ESTIMATORS.includes(kind)) return;
  const answers = new Map<string, number>();
  for (const { promptId } of rows) answers.set(promptId, (answers.get(promptId) ?? 0) + 1);
  const lone = [...answers].filter(([, count]) => count < 2).map(([id]) => `"${id}"`);
  if (lone.length === 0) return;
  const more = lone.length > 5 ? ` and ${lone.length - 5} more` : "";
  throw new DataError(
    `Cannot estimate advantages by ${kind} as every prompt must have at least two answers (samples_per_prompt of rollout): ` +
      `${lone.slice(0, 5).join(", ")}${more} ${lone.length === 1 ? "has" : "have"} one`,
    { column: "prompt_id" },
  );
}
