/**
 * Warnings of reward hacking: the reward rises while response length, repetition or KL leave the range of the first iteration. And the responses
 * that are kept as text for a person to read. Pure.
 * @module
 */
import type { SampleRow } from "@/lib/data/contracts/samples.ts";
import { repetition } from "@/lib/model/rl/diversity.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import type { Params } from "./params.ts";
import { tokenKl } from "./rewards.ts";
import { REPETITION_N, type RolloutStatistics } from "./statistics.ts";
import type { Rollout } from "./trajectory.ts";

/** A warning, and the responses that show it best. */
export interface Warning {
  readonly kind: "length" | "repetition" | "kl";
  /** one line for a person */
  readonly message: string;
  /** indices of the rollouts */
  readonly rows: readonly number[];
}

/** Responses that a warning names. */
const SHOWN = 2;

/** Returns what later iterations are compared with, as the state keeps it. */
export function firstIterationOf(statistics: RolloutStatistics): Readonly<Record<string, number>> {
  const { responses, reward, reward_std, response_length, repetition, kl_to_sft_per_token, base_nll } =
    statistics;
  return {
    responses,
    reward,
    reward_std,
    response_length,
    repetition,
    kl_to_sft_per_token,
    ...(base_nll === undefined ? {} : { base_nll }),
  };
}

/** Returns whether the reward exceeds the first iteration's by more than two standard errors of the difference. */
function hasRisen(now: RolloutStatistics, first: Readonly<Record<string, number>>): boolean {
  const variance = now.reward_std ** 2 / now.responses + first.reward_std! ** 2 / first.responses!;
  return now.reward - first.reward! > 2 * Math.sqrt(variance);
}

/** Returns the warnings of an iteration; none while the reward has not risen. */
export function rewardHackingWarnings(
  now: RolloutStatistics,
  first: Readonly<Record<string, number>>,
  rollouts: readonly Rollout[],
  params: Params,
): Warning[] {
  if (!hasRisen(now, first)) return [];
  const { warn_length_factor: factor, warn_repetition: maxRise, warn_kl_per_token: maxKl } = params;
  const warnings: Warning[] = [];
  const warn = (kind: Warning["kind"], change: string, severity: (rollout: Rollout) => number) => {
    const order = rollouts.map((rollout, i) => [severity(rollout), i] as const)
      .sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    const rows = order.slice(0, SHOWN).map(([, i]) => i);
    const ids = rows.map((i) => `"${rollouts[i]!.id}"`).join(" and ");
    const rise = `the reward rose from ${short(first.reward!)} to ${short(now.reward)}`;
    warnings.push({ kind, message: `${rise} while ${change}; see responses ${ids}`, rows });
  };
  const length = now.response_length, before = first.response_length!;
  if (factor !== null && (length > before * factor || length < before / factor)) {
    const sign = length > before ? 1 : -1;
    warn(
      "length",
      `the response length went from ${short(before)} to ${short(length)} tokens`,
      ({ responseIds }) => sign * responseIds.length,
    );
  }
  if (maxRise !== null && now.repetition - first.repetition! > maxRise) {
    warn(
      "repetition",
      `repeated ${REPETITION_N}-grams went from ${percent(first.repetition!)} to ${percent(now.repetition)}`,
      ({ responseIds }) => repetition(responseIds, REPETITION_N),
    );
  }
  if (maxKl !== null && now.kl_to_sft_per_token > maxKl) {
    warn(
      "kl",
      `the KL to SFT reached ${short(now.kl_to_sft_per_token)} nats per token`,
      (rollout) => tokenKl(rollout, "sft").reduce((a, b) => a + b, 0) / rollout.responseIds.length,
    );
  }
  return warnings;
}

/** Returns the first `count` rollouts as text, then those that warnings name, with the kinds of warning among their scores. */
export function keptSamples(
  rollouts: readonly Rollout[],
  tokenizer: Tokenizer,
  { count, warnings }: { readonly count: number; readonly warnings: readonly Warning[] },
): SampleRow[] {
  const shown = new Set([...rollouts.keys()].slice(0, count).concat(warnings.flatMap(({ rows }) => rows)));
  return [...shown].map((i) => {
    const { promptId, promptIds, responseIds, finishReason, reward, rawReward } = rollouts[i]!;
    const kinds = warnings.filter(({ rows }) => rows.includes(i)).map(({ kind }) => kind);
    return {
      model: "policy",
      mode: "sampled",
      promptId,
      prompt: tokenizer.decode(promptIds, { skipSpecial: true }),
      response: tokenizer.decode(responseIds, { skipSpecial: true }),
      finishReason,
      scores: JSON.stringify({
        reward,
        raw_reward: rawReward,
        ...(kinds.length > 0 ? { warnings: kinds } : {}),
      }),
    };
  });
}

const short = (x: number) => String(Number(x.toPrecision(3)));
const percent = (x: number) => `${short(100 * x)} %`;
