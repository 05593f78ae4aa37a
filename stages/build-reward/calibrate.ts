/**
 * What a reward gives to answers of the SFT model and of the base: figures that show whether it can tell the two apart,
 * how much of it is length, and how much is the end token.
 * @module
 */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { correlation, moments, sampleDeviation } from "@/lib/rl/moments.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** Figures of one model's answers. Rewards are raw: sums over the response, in nats, before length normalisation. */
export interface AnswerFigures {
  readonly answers: number;
  readonly reward_mean: number;
  /** spread of the rewards, n − 1 in the denominator */
  readonly reward_std: number;
  /** standard error of `reward_mean`, as if answers were independent */
  readonly reward_stderr: number;
  readonly response_length: number;
  /** share of answers that end */
  readonly eos_rate: number;
  /** Pearson's correlation of reward and length; null where either does not vary */
  readonly length_correlation: number | null;
  /** mean of what the end token earns, over answers that end; null if none does */
  readonly eos_mean: number | null;
  /** share of the end token in all that is paid and taken, magnitudes summed; 0 where nothing is */
  readonly eos_share: number;
  /** share of tokens, ends left out, to which the base gives no more than the floor; 0 without a floor */
  readonly floor_share: number;
}

/** Figures of scored answers of one model; at least one. */
export function answerFigures(
  rows: readonly ScoredRow[],
  { floor, eosIds }: { readonly floor: number | null; readonly eosIds: readonly number[] },
): AnswerFigures {
  const ends = new Set(eosIds);
  const rewards = rows.map(({ rawReward }) => rawReward),
    lengths = rows.map(({ responseIds }) => responseIds.length);
  const endRewards: number[] = [];
  let paid = 0, bodyTokens = 0, floored = 0;
  for (const { responseIds, tokenRewards, baseLogprobs } of rows) {
    responseIds.forEach((id, t) => {
      paid += Math.abs(tokenRewards[t]!);
      if (ends.has(id)) return void endRewards.push(tokenRewards[t]!);
      bodyTokens++;
      if (floor !== null && baseLogprobs[t]! <= floor) floored++;
    });
  }
  const std = rows.length < 2 ? 0 : sampleDeviation(rewards);
  const paidForEnds = endRewards.reduce((sum, x) => sum + Math.abs(x), 0);
  return {
    answers: rows.length,
    reward_mean: meanOf(rewards),
    reward_std: std,
    reward_stderr: std / Math.sqrt(rows.length),
    response_length: meanOf(lengths),
    eos_rate: rows.filter(({ finishReason }) => finishReason === "eos").length / rows.length,
    length_correlation: rows.length < 2 ? null : correlation(rewards, lengths),
    eos_mean: endRewards.length === 0 ? null : meanOf(endRewards),
    eos_share: paid === 0 ? 0 : paidForEnds / paid,
    floor_share: bodyTokens === 0 ? 0 : floored / bodyTokens,
  };
}

/** Figures of the SFT model, and of what the members are held against: the base, or another baseline in its place. */
export type Calibration =
  | { readonly sft: AnswerFigures; readonly base: AnswerFigures }
  | { readonly sft: AnswerFigures; readonly baseline: AnswerFigures };

/** Figures of what the members are held against, and what it is called. */
export function heldAgainst(
  calibration: Calibration,
): { readonly name: string; readonly figures: AnswerFigures } {
  return "base" in calibration
    ? { name: "base", figures: calibration.base }
    : { name: "baseline", figures: calibration.baseline };
}

/** Standard errors of a mean, or of a difference of two, that chance explains. */
const ERRORS = 2;

/**
 * Checks what must hold of any such reward: SFT answers earn more than those of the base (or baseline). For one unbounded member that is
 * the SFT model it is an identity that the first mean is KL(SFT‖base) > 0 and the second −KL(base‖SFT) < 0. A few answers may say
 * otherwise by chance; that is for {@linkcode calibrationWarnings}.
 * @throws {DataError} where it does not hold by more than chance, saying what that means
 */
export function checkCalibration(
  calibration: Calibration,
  options: { readonly isPaperReward: boolean },
): void {
  const { sft } = calibration, { name, figures: base } = heldAgainst(calibration);
  const found = foundIn(calibration);
  if (!(sft.reward_mean - base.reward_mean > -chanceOf(sft, base))) {
    throw new DataError(
      `Cannot build a reward as answers of the SFT model must earn more than those of the ${name}: ` +
        `${found}; ${name} and SFT models may be swapped, or the members were trained on other demonstrations`,
    );
  }
  if (options.isPaperReward && !(sft.reward_mean > -chanceOf(sft) && base.reward_mean < chanceOf(base))) {
    throw new DataError(
      `Cannot build a reward as one unbounded member must earn more than 0 with its own answers and less with the ${name}'s: ` +
        `${found}; the means are KL divergences, KL(SFT‖${name}) and −KL(${name}‖SFT), so a model is not what it is said to be, ` +
        "or SFT has hardly moved it",
    );
  }
}

/** What a person should read where SFT answers earn no more than the others, and chance may be the reason. */
export function calibrationWarnings(calibration: Calibration): string[] {
  const { sft } = calibration, { name, figures: base } = heldAgainst(calibration);
  if (sft.reward_mean > base.reward_mean) return [];
  return [
    `answers of the SFT model earn no more than those of the ${name}: ${
      foundIn(calibration)
    }; that may be chance`,
  ];
}

function foundIn(calibration: Calibration): string {
  const { sft } = calibration, { name, figures: base } = heldAgainst(calibration);
  return `the mean on ${sft.answers} answers of the SFT model is ${
    show(sft)
  }, on ${base.answers} of the ${name} ${show(base)}`;
}

function chanceOf(...figures: readonly AnswerFigures[]): number {
  return ERRORS * Math.hypot(...figures.map(({ reward_stderr }) => reward_stderr));
}

/** The figures as reward.json keeps them: `sft_reward_mean` and so on, those that are defined. */
export function flatFigures(calibration: Calibration): Record<string, number> {
  return Object.fromEntries(
    Object.entries(calibration).flatMap(([model, figures]) =>
      Object.entries(figures as AnswerFigures).flatMap(([name, value]) =>
        value === null ? [] : [[`${model}_${name}`, value as number]]
      )
    ),
  );
}

function show({ reward_mean, reward_stderr }: AnswerFigures): string {
  return `${reward_mean.toFixed(2)} ± ${reward_stderr.toFixed(2)} nats`;
}

function meanOf(values: readonly number[]): number {
  return moments([values]).mean;
}
