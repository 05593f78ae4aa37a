/**
 * Statistics of the rewards of responses of the SFT model and of the base: whether the reward separates the two, how much of it
 * is length, and how much is EOS.
 * @module
 */
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { correlation, moments, sampleDeviation } from "@/lib/model/rl/moments.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";

/** Statistics of one model's responses. Rewards are raw: sums over the response, in nats, before length normalisation. */
export interface ResponseStatistics {
  /** number of responses */
  readonly responses: number;
  readonly reward_mean: number;
  /** standard deviation of the rewards, n − 1 in the denominator */
  readonly reward_std: number;
  /** standard error of `reward_mean`, as if responses were independent */
  readonly reward_stderr: number;
  readonly response_length: number;
  /** share of responses that end with EOS */
  readonly eos_rate: number;
  /** Pearson's correlation of reward and length; null if either does not vary */
  readonly length_correlation: number | null;
  /** mean reward of the EOS token, over responses that have one; null without any */
  readonly eos_mean: number | null;
  /** share of EOS in Σ |token reward|; 0 if that sum is 0 */
  readonly eos_share: number;
  /** share of tokens without EOS whose log-probability under the base is at most the floor; 0 without a floor */
  readonly floor_share: number;
}

/** Returns the statistics of scored responses of one model; at least one response. */
export function responseStatistics(
  rows: readonly ScoredRow[],
  { floor, eosIds }: { readonly floor: number | null; readonly eosIds: readonly number[] },
): ResponseStatistics {
  const ends = new Set(eosIds), eosRewards: number[] = [];
  const rewards = rows.map(({ rawReward }) => rawReward);
  const lengths = rows.map(({ responseIds }) => responseIds.length);
  let magnitude = 0, bodyTokens = 0, floored = 0;
  for (const { responseIds, tokenRewards, baseLogprobs } of rows) {
    responseIds.forEach((id, t) => {
      magnitude += Math.abs(tokenRewards[t]!);
      if (ends.has(id)) return void eosRewards.push(tokenRewards[t]!);
      bodyTokens++;
      if (floor !== null && baseLogprobs[t]! <= floor) floored++;
    });
  }
  const std = rows.length < 2 ? 0 : sampleDeviation(rewards);
  const eosMagnitude = eosRewards.reduce((sum, x) => sum + Math.abs(x), 0);
  return {
    responses: rows.length,
    reward_mean: meanOf(rewards),
    reward_std: std,
    reward_stderr: std / Math.sqrt(rows.length),
    response_length: meanOf(lengths),
    eos_rate: rows.filter(({ finishReason }) => finishReason === "eos").length / rows.length,
    length_correlation: rows.length < 2 ? null : correlation(rewards, lengths),
    eos_mean: eosRewards.length === 0 ? null : meanOf(eosRewards),
    eos_share: magnitude === 0 ? 0 : eosMagnitude / magnitude,
    floor_share: bodyTokens === 0 ? 0 : floored / bodyTokens,
  };
}

/** Statistics of the SFT model, and of the base or another baseline. */
export type Calibration =
  | { readonly sft: ResponseStatistics; readonly base: ResponseStatistics }
  | { readonly sft: ResponseStatistics; readonly baseline: ResponseStatistics };

/** Returns the statistics of the base or baseline, and its name. */
export function baselineOf(
  calibration: Calibration,
): { readonly name: string; readonly statistics: ResponseStatistics } {
  return "base" in calibration
    ? { name: "base", statistics: calibration.base }
    : { name: "baseline", statistics: calibration.baseline };
}

/** Standard errors of a mean, or of a difference of two, that chance explains. */
const ERRORS = 2;

/**
 * Checks that SFT responses have a higher mean reward than those of the base (or baseline). For one member without guards that is
 * the SFT model, the first mean is KL(SFT‖base) > 0 and the second −KL(base‖SFT) < 0. A violation within chance is a warning: see
 * {@linkcode calibrationWarnings}.
 * @throws {DataError} if it is violated by more than chance
 */
export function checkCalibration(
  calibration: Calibration,
  options: { readonly isPaperReward: boolean },
): void {
  const { sft } = calibration, { name, statistics: base } = baselineOf(calibration);
  if (!(sft.reward_mean - base.reward_mean > -chanceOf(sft, base))) {
    throw new DataError(
      `SFT responses must have a higher mean reward than ${name} responses, got ${
        foundIn(calibration)
      }: ${name} and SFT ` +
        "models may be swapped, or the members were trained on other demonstrations",
    );
  }
  if (options.isPaperReward && !(sft.reward_mean > -chanceOf(sft) && base.reward_mean < chanceOf(base))) {
    throw new DataError(
      `The mean reward must be above 0 on SFT responses, KL(SFT‖${name}), and below 0 on ${name} responses, ` +
        `−KL(${name}‖SFT), got ${
          foundIn(calibration)
        }: one of the models may be wrong, or SFT has hardly changed the ${name} model`,
    );
  }
}

/** Returns a warning if SFT responses have no higher mean reward than the others, which may be chance. */
export function calibrationWarnings(calibration: Calibration): string[] {
  const { sft } = calibration, { name, statistics: base } = baselineOf(calibration);
  if (sft.reward_mean > base.reward_mean) return [];
  return [
    `SFT responses do not have a higher mean reward than ${name} responses (${
      foundIn(calibration)
    }), but the difference is within two standard errors`,
  ];
}

function foundIn(calibration: Calibration): string {
  const { name, statistics } = baselineOf(calibration);
  const show = ({ reward_mean, reward_stderr, responses }: ResponseStatistics, of: string) =>
    `${reward_mean.toFixed(2)} ± ${reward_stderr.toFixed(2)} nats (${of}, n = ${responses})`;
  return `${show(calibration.sft, "SFT")} and ${show(statistics, name)}`;
}

function chanceOf(...statistics: readonly ResponseStatistics[]): number {
  return ERRORS * Math.hypot(...statistics.map(({ reward_stderr }) => reward_stderr));
}

/** Returns the statistics as in reward.json: `sft_reward_mean` and so on, without undefined ones. */
export function flatStatistics(calibration: Calibration): Record<string, number> {
  return Object.fromEntries(
    Object.entries(calibration).flatMap(([model, statistics]) =>
      Object.entries(statistics as ResponseStatistics).flatMap(([name, value]) =>
        value === null ? [] : [[`${model}_${name}`, value as number]]
      )
    ),
  );
}

function meanOf(values: readonly number[]): number {
  return moments([values]).mean;
}
