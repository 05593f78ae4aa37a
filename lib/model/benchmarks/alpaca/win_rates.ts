/**
 * Win rates of AlpacaEval 2 from pairwise annotations: plain, discrete and length-controlled.
 * Source: alpaca_eval/metrics of alpaca-eval 0.6.6; Dubois et al. 2024 (arXiv:2404.04475) for the length control.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { fitLassoCv, type LassoRow, logistic } from "./logistic_lasso.ts";

/** One comparison; its position is the instruction's index. */
export interface AlpacaAnnotation {
  readonly output_1: string;
  readonly output_2: string;
  /** 1: output_1 (the baseline) is better, 2: output_2, between them: probabilities, 0 or 1.5: a draw; null: no preference */
  readonly preference: number | null;
}

/** A row of alpaca-eval's df_gamed.csv: preferences of models that were made longer and shorter. */
export interface GamedRow {
  readonly index: number;
  readonly preference: number;
  readonly std_delta_len: number;
  readonly instruction_difficulty: number;
}

/** Percentages, with alpaca-eval's names. */
export interface WinRates {
  readonly win_rate: number;
  readonly standard_error: number;
  readonly n_wins: number;
  readonly n_wins_base: number;
  readonly n_draws: number;
  readonly n_total: number;
  readonly discrete_win_rate: number;
  readonly length_controlled_winrate: number;
  readonly lc_standard_error: number;
  /** `length_controlled_v1` with gamed rows, else `length_controlled_minimal` */
  readonly glm: string;
}

/** Half of this weight for each of the two gamed models. */
const GAMED_WEIGHT = 0.2;

/**
 * Returns the win rates of output_2.
 * @param gamed rows of df_gamed.csv in their order; without them, the length control has no term for difficulty
 * @throws {DataError} if there are fewer than two preferences, or an instruction is not among the gamed rows
 */
export function winRates(annotations: readonly AlpacaAnnotation[], gamed?: readonly GamedRow[]): WinRates {
  const preferences = annotations.flatMap(({ preference }) => preference === null ? [] : [preference]);
  if (preferences.length < 2) {
    throw new DataError(`Win rates require at least two preferences, got ${preferences.length}`);
  }
  const shares = preferences.map(shareOf), count = shares.length;
  const wins = shares.filter((share) => share > 0.5).length,
    losses = shares.filter((share) => share < 0.5).length;
  const rounded = shares.map((share) => share === 0.5 ? 0.5 : roundHalfEven(share + 1) - 1);
  const predicted = lengthControlled(annotations, gamed);
  return {
    win_rate: 100 * mean(shares),
    standard_error: 100 * standardError(shares),
    n_wins: wins,
    n_wins_base: losses,
    n_draws: preferences.filter((preference) => preference === 1.5 || preference === 0).length,
    n_total: count,
    discrete_win_rate: 100 * mean(rounded),
    length_controlled_winrate: 100 * mean(predicted),
    lc_standard_error: 100 * standardError(predicted),
    glm: gamed ? "length_controlled_v1" : "length_controlled_minimal",
  };
}

/** Returns, for every instruction, the predicted preference at equal lengths. */
function lengthControlled(
  annotations: readonly AlpacaAnnotation[],
  gamed: readonly GamedRow[] | undefined,
): number[] {
  const deltas = annotations.map(({ output_1, output_2 }) => [...output_1].length - [...output_2].length);
  const deviation = standardError(deltas) * Math.sqrt(deltas.length);
  const difficulties = annotations.map((_, i) => gamed ? [difficultyOf(gamed, i)] : []);
  const own = annotations.flatMap(({ preference }, i): LassoRow[] =>
    preference === null ? [] : [{
      features: [Math.tanh(deltas[i]! / deviation), ...difficulties[i]!, 1],
      label: shareOf(preference),
      weight: 1,
    }]
  );
  const others = (gamed ?? []).map((row): LassoRow => ({
    features: [Math.tanh(row.std_delta_len), row.instruction_difficulty, 0],
    label: row.preference,
    weight: GAMED_WEIGHT / 2,
  }));
  const weights = fitLassoCv([...others, ...own]);
  return difficulties.map((difficulty) =>
    logistic([0, ...difficulty, 1].reduce((sum, x, j) => sum + x * weights[j]!, 0))
  );
}

/** As alpaca-eval, by the row's position, which must be the first of its index. */
function difficultyOf(gamed: readonly GamedRow[], i: number): number {
  const row = gamed[i];
  if (row === undefined) {
    throw new DataError(
      `The gamed rows must begin with a row for each instruction, got none for number ${i}`,
    );
  }
  return row.instruction_difficulty;
}

/** Returns how far output_2 is preferred, 0 to 1. */
function shareOf(preference: number): number {
  return preference === 0 ? 0.5 : preference - 1;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value), rest = value - floor;
  return rest === 0.5 ? floor + floor % 2 : Math.round(value);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function standardError(values: readonly number[]): number {
  const center = mean(values), squares = values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}
