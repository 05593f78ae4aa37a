/**
 * Labels of metrics: for every metric that the stages log, its name, its digits, and whether more or less of it is
 * better. A metric that is not listed is shown under its own name.
 * @module
 */
import { decimal, displayName, MISSING, signed, significant } from "./format.ts";

/** How one metric is shown. */
export interface MetricInfo {
  readonly label: string;
  /** heading of a narrow column; default: the label without its capital */
  readonly short?: string;
  /** name in the lines of a running loop; default: that of a narrow column */
  readonly training?: string;
  /** decimals; undefined: three significant digits */
  readonly digits?: number;
  readonly percent?: boolean;
  /** which direction is an improvement; undefined: neither by itself */
  readonly better?: "more" | "less";
  /** definition, in one sentence */
  readonly help: string;
}

const CATALOGUE: Readonly<Record<string, MetricInfo>> = {
  score: { label: "Score", digits: 3, better: "more", help: "Mean score of the checker, from 0 to 1." },
  both_words: {
    label: "Both words",
    digits: 3,
    better: "more",
    help: "Share of responses that end with EOS and contain every required word.",
  },
  eos_rate: {
    label: "EOS rate",
    digits: 1,
    percent: true,
    better: "more",
    help: "Share of responses that end with an EOS token.",
  },
  response_length: { label: "Response length", digits: 1, help: "Mean tokens per response, EOS included." },
  kl_to_sft: {
    label: "KL to SFT",
    digits: 2,
    help: "log π − log π_SFT, summed over a response, in nats; π is the evaluated model.",
  },
  audit_reward: {
    label: "Audit reward",
    digits: 2,
    better: "more",
    help:
      "Reward of a model of demonstrations that were set aside, with the guards of the trained reward; summed over a " +
      "response, in nats.",
  },
  audit_reward_without_eos: {
    label: "Audit reward without EOS",
    short: "audit without EOS",
    digits: 2,
    better: "more",
    help: "The audit reward without that of the EOS token, in nats.",
  },
  // Neither direction is better by itself: PPO maximizes this reward whether or not the responses improve.
  reward: {
    label: "Trained reward",
    training: "reward",
    digits: 2,
    help:
      "The reward that PPO maximizes, summed over a response, in nats; the section Reward says how it is made.",
  },
  base_nll: {
    label: "Base NLL",
    digits: 3,
    better: "less",
    help: "NLL of the responses under the base model, in nats per token; a measure of fluency.",
  },
  judge_nll: {
    label: "Judge NLL",
    digits: 3,
    better: "less",
    help: "NLL of the responses under the judge, in nats per token of the judge; a measure of fluency.",
  },
  validation_nll: {
    label: "Held-out NLL",
    digits: 3,
    better: "less",
    help: "NLL of held-out demonstrations, in nats per token; perplexity is its exponential.",
  },
  distinct_2: {
    label: "Distinct-2",
    digits: 3,
    help: "Number of distinct word bigrams divided by the number of all word bigrams.",
  },
  kl_to_base: {
    label: "KL to base",
    digits: 2,
    help: "log π − log π_base, summed over a response, in nats.",
  },
  entropy: { label: "Entropy", digits: 3, help: "Entropy of the policy, in nats per token." },
  explained_variance: {
    label: "Explained variance",
    short: "expl. variance",
    digits: 3,
    better: "more",
    help:
      "1 − Var(R − V) / Var(R), for returns R and values V of the critic's head; 1 is a perfect prediction.",
  },
  clip_fraction: {
    label: "Clip fraction",
    digits: 3,
    help: "Share of tokens with a ratio outside the clip range.",
  },
  loss: { label: "Loss", digits: 3, better: "less", help: "Training loss, in nats per supervised token." },
  validation_loss: {
    label: "Validation loss",
    digits: 3,
    better: "less",
    help: "Loss on held-out demonstrations, in nats per supervised token.",
  },
};

/** Returns how `metric` is shown; a metric that is not in the catalogue has its own name as label. */
export function metricInfo(metric: string): MetricInfo {
  const label = displayName(metric);
  return CATALOGUE[metric] ?? { label: label.charAt(0).toUpperCase() + label.slice(1), help: "" };
}

/** Returns the label for use inside a sentence: without its capital, unless it begins with an abbreviation. */
export function labelInSentence(metric: string): string {
  const { label } = metricInfo(metric);
  return /^\p{Lu}\p{Lu}/u.test(label) ? label : label.charAt(0).toLowerCase() + label.slice(1);
}

/** Returns the heading of `metric` in a narrow column. */
export function shortLabel(metric: string): string {
  return metricInfo(metric).short ?? labelInSentence(metric);
}

/** Returns the name of `metric` in the lines of a running loop. */
export function trainingLabel(metric: string): string {
  return metricInfo(metric).training ?? shortLabel(metric);
}

/** Returns ` ↑` or ` ↓` for the better direction of `metric`; empty where neither is better. */
export function betterArrow(metric: string): string {
  const { better } = metricInfo(metric);
  return better === undefined ? "" : better === "more" ? " ↑" : " ↓";
}

/** Returns `metrics` in the order of the catalogue, unknown ones after them by name. */
export function inOrder(metrics: Iterable<string>): string[] {
  const known = Object.keys(CATALOGUE);
  const rank = (m: string) => known.includes(m) ? known.indexOf(m) : known.length;
  return [...new Set(metrics)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0));
}

/** Returns `value` of `metric` as text, for example `0.811`, `94.5 %`. */
export function metricText(metric: string, value: number | undefined): string {
  const info = metricInfo(metric);
  if (value === undefined || !Number.isFinite(value)) return MISSING;
  if (info.percent) return `${decimal(100 * value, info.digits ?? 1)} %`;
  return info.digits === undefined ? significant(value) : decimal(value, info.digits);
}

/**
 * Returns `0.811 ± 0.017`: a mean with its standard error or deviation. A deviation of 0 is not known (one value, or values that are
 * all equal): the mean stands alone. One that would be rounded to zero is shown as less than the last digit.
 */
export function metricSpread(metric: string, mean: number, deviation: number): string {
  const text = metricText(metric, mean);
  if (!(deviation > 0)) return text;
  const shown = metricText(metric, deviation).replace(" %", "");
  if (/[1-9]/.test(shown)) return `${text} ± ${shown}`;
  return `${text} ± <${shown.replace(/0$/, "1")}`;
}

/** Returns a difference of two values of `metric`, with its sign; percentages differ in points. */
export function metricDifference(metric: string, value: number): string {
  const info = metricInfo(metric);
  if (info.percent) return `${signed(100 * value, info.digits ?? 1)} points`;
  return info.digits === undefined ? (value > 0 ? "+" : "") + significant(value) : signed(value, info.digits);
}

/** Returns `+0.012 to +0.208`, the ends of an interval of differences; with more digits if the ends would look equal. */
export function metricInterval(metric: string, [low, high]: readonly [number, number]): string {
  const texts = [low, high].map((end) => metricDifference(metric, end));
  if (texts[0] !== texts[1]) return texts.join(" to ");
  const { percent } = metricInfo(metric), scale = percent ? 100 : 1;
  const digits = Math.max(0, 1 - Math.floor(Math.log10(scale * (high - low))));
  return [low, high].map((end) => `${signed(scale * end, Math.min(digits, 15))}${percent ? " points" : ""}`)
    .join(" to ");
}
