/**
 * What the figures mean: for every metric that the stages log, its label, how many digits are worth reading, and
 * whether more or less of it is better. Metrics that are not listed are shown too, under their own names.
 * @module
 */
import { decimal, MISSING, signed, significant } from "./format.ts";

/** How one metric is shown. */
export interface MetricInfo {
  readonly label: string;
  /** a heading that fits a narrow column */
  readonly short: string;
  /** decimals; undefined: three significant digits */
  readonly digits?: number;
  readonly percent?: boolean;
  /** which direction is an improvement; undefined: neither by itself */
  readonly better?: "more" | "less";
  /** one sentence for a newcomer */
  readonly help: string;
}

const CATALOGUE: Readonly<Record<string, MetricInfo>> = {
  score: {
    label: "Score",
    short: "score",
    digits: 3,
    better: "more",
    help: "What the checker gives an answer, from 0 to 1.",
  },
  both_words: {
    label: "Both words",
    short: "both words",
    digits: 3,
    better: "more",
    help: "Share of answers that end and contain every word asked for.",
  },
  eos_rate: {
    label: "Ended",
    short: "ended",
    digits: 1,
    percent: true,
    better: "more",
    help: "Share of answers that end by themselves within the limit.",
  },
  response_length: {
    label: "Tokens",
    short: "tokens",
    digits: 1,
    help: "Tokens per answer, end of sequence included.",
  },
  kl_to_sft: {
    label: "KL to SFT",
    short: "KL to SFT",
    digits: 2,
    help: "How far the model has moved from SFT: log π − log π_sft summed over an answer, in nats.",
  },
  reward: {
    label: "Reward",
    short: "reward",
    digits: 2,
    better: "more",
    help: "log π_sft − log π_base summed over an answer, in nats: what PPO raises.",
  },
  base_nll: {
    label: "Base NLL",
    short: "base NLL",
    digits: 3,
    better: "less",
    help: "How surprising the answers are to the base model, in nats per token: a measure of fluency.",
  },
  validation_nll: {
    label: "NLL of held-back demonstrations",
    short: "val. NLL",
    digits: 3,
    better: "less",
    help: "Nats per token of demonstrations that no model was trained on.",
  },
  distinct_2: {
    label: "Distinct bigrams",
    short: "distinct-2",
    digits: 3,
    help: "Share of word pairs that occur once.",
  },
  kl_to_base: {
    label: "KL to base",
    short: "KL base",
    digits: 2,
    help: "Nats per answer between the policy and the base.",
  },
  entropy: {
    label: "Entropy",
    short: "entropy",
    digits: 3,
    help: "Nats per token: how undecided the policy is.",
  },
  explained_variance: {
    label: "Explained variance",
    short: "expl. var.",
    digits: 3,
    better: "more",
    help: "Share of the returns' variance that the critic foresees; 1 is perfect.",
  },
  clip_fraction: {
    label: "Clip fraction",
    short: "clipped",
    digits: 3,
    help: "Share of tokens whose probability ratio left the trusted range.",
  },
  loss: { label: "Loss", short: "loss", digits: 3, better: "less", help: "Nats per supervised token." },
  validation_loss: {
    label: "Validation loss",
    short: "val. loss",
    digits: 3,
    better: "less",
    help: "Nats per token.",
  },
};

/** How `metric` is shown; a metric that is not in the catalogue goes by its own name. */
export function metricInfo(metric: string): MetricInfo {
  const known = CATALOGUE[metric];
  if (known !== undefined) return known;
  const label = metric.replaceAll("_", " ");
  return { label: label.charAt(0).toUpperCase() + label.slice(1), short: label, help: "" };
}

/** A label inside a sentence: without its capital, unless it begins with an abbreviation. */
export function labelInSentence(metric: string): string {
  const { label } = metricInfo(metric);
  return /^\p{Lu}\p{Lu}/u.test(label) ? label : label.charAt(0).toLowerCase() + label.slice(1);
}

/** Metrics in the order of the catalogue, unknown ones after them by name. */
export function inOrder(metrics: Iterable<string>): string[] {
  const known = Object.keys(CATALOGUE);
  const rank = (m: string) => known.includes(m) ? known.indexOf(m) : known.length;
  return [...new Set(metrics)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0));
}

/** `value` of `metric` as text, for example `0.811`, `94.5 %`. */
export function metricText(metric: string, value: number | undefined): string {
  const info = metricInfo(metric);
  if (value === undefined || !Number.isFinite(value)) return MISSING;
  if (info.percent) return `${decimal(100 * value, info.digits ?? 1)} %`;
  return info.digits === undefined ? significant(value) : decimal(value, info.digits);
}

/** A difference of two values of `metric`, with its sign; percentages differ in points. */
export function metricDifference(metric: string, value: number): string {
  const info = metricInfo(metric);
  if (info.percent) return `${signed(100 * value, info.digits ?? 1)} points`;
  return info.digits === undefined ? (value > 0 ? "+" : "") + significant(value) : signed(value, info.digits);
}
