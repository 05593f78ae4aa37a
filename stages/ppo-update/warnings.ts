/**
 * Signs that the reward is being gamed: it rises while length, repetition or KL leave the bands around the first round. Pure.
 * @module
 */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { repetition } from "@/lib/rl/diversity.ts";
import type { Params } from "./params.ts";
import { tokenKl } from "./pay.ts";
import { REPEATED, type RoundFigures } from "./round_figures.ts";

/** One sign, and the answers that show it. */
export interface Warning {
  readonly kind: "length" | "repetition" | "kl";
  /** one line for a person */
  readonly message: string;
  /** numbers of the rows that show it best */
  readonly rows: readonly number[];
}

/** Answers that a warning names. */
const SHOWN = 2;

/** What later rounds are held against, as the state keeps it. */
export function firstRoundOf(figures: RoundFigures): Readonly<Record<string, number>> {
  const { responses, reward, reward_std, response_length, repetition, kl_to_sft_per_token, base_nll } =
    figures;
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

/** Whether the reward is above the first round's by more than twice the standard error of the difference. */
function hasRisen(now: RoundFigures, first: Readonly<Record<string, number>>): boolean {
  const variance = now.reward_std ** 2 / now.responses + first.reward_std! ** 2 / first.responses!;
  return now.reward - first.reward! > 2 * Math.sqrt(variance);
}

/** The signs of a round; none while the reward has not risen. */
export function warningsOf(
  figures: RoundFigures,
  first: Readonly<Record<string, number>>,
  rows: readonly ScoredRow[],
  params: Params,
): Warning[] {
  if (!hasRisen(figures, first)) return [];
  const { warn_length_factor: factor, warn_repetition: repeated, warn_kl_per_token: kl } = params;
  const found: Warning[] = [];
  const warn = (kind: Warning["kind"], what: string, by: (row: ScoredRow) => number) => {
    const order = rows.map((row, i) => [by(row), i] as const).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    const shown = order.slice(0, SHOWN).map(([, i]) => i);
    const ids = shown.map((i) => `"${rows[i]!.id}"`).join(" and ");
    const message = `the reward rose from ${short(first.reward!)} to ${
      short(figures.reward)
    } while ${what}; see ${ids}`;
    found.push({ kind, message, rows: shown });
  };
  const length = figures.response_length, before = first.response_length!;
  if (factor !== null && (length > before * factor || length < before / factor)) {
    const sign = length > before ? 1 : -1;
    warn(
      "length",
      `answers went from ${short(before)} to ${short(length)} tokens`,
      (row) => sign * row.responseIds.length,
    );
  }
  if (repeated !== null && figures.repetition - first.repetition! > repeated) {
    warn(
      "repetition",
      `repeated 4-grams went from ${percent(first.repetition!)} to ${percent(figures.repetition)}`,
      ({ responseIds }) => repetition(responseIds, REPEATED),
    );
  }
  if (kl !== null && figures.kl_to_sft_per_token > kl) {
    warn(
      "kl",
      `the KL to SFT reached ${short(figures.kl_to_sft_per_token)} nats per token`,
      (row) => tokenKl(row, "sft").reduce((a, b) => a + b, 0) / row.responseIds.length,
    );
  }
  return found;
}

const short = (x: number) => String(Number(x.toPrecision(3)));
const percent = (x: number) => `${short(100 * x)} %`;
