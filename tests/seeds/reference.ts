/**
 * Results of the PyTorch reference of the quickstart on eval.jsonl over six seeds: mean and standard deviation over
 * seeds, by arm of pipelines/experiments/quickstart.yaml, mode and metric. Source: fixtures/quickstart/README.md,
 * references A (the paper’s reward) and B (pipelines/variants/reference.yaml).
 * @module
 */

/** Mean and standard deviation over seeds. */
export interface ReferenceSpread {
  readonly mean: number;
  readonly std: number;
}

const of = (mean: number, std: number): ReferenceSpread => ({ mean, std });

/** Means and deviations by `arm/mode/metric`. */
export const REFERENCE: Readonly<Record<string, ReferenceSpread>> = {
  "sft/greedy/score": of(0.716, 0.029),
  "sft/greedy/both_words": of(0.467, 0.054),
  "sft/sampled/score": of(0.632, 0.025),
  "sft/sampled/both_words": of(0.373, 0.028),
  "continued_sft/greedy/score": of(0.733, 0.028),
  "continued_sft/greedy/both_words": of(0.497, 0.061),
  "continued_sft/sampled/score": of(0.656, 0.022),
  "continued_sft/sampled/both_words": of(0.423, 0.029),
  "srppo_reference/greedy/score": of(0.895, 0.019),
  "srppo_reference/greedy/both_words": of(0.819, 0.029),
  "srppo_reference/sampled/score": of(0.786, 0.021),
  "srppo_reference/sampled/both_words": of(0.636, 0.034),
  "srppo_paper/greedy/score": of(0.811, 0.031),
  "srppo_paper/greedy/both_words": of(0.648, 0.061),
  "srppo_paper/sampled/score": of(0.681, 0.033),
  "srppo_paper/sampled/both_words": of(0.471, 0.047),
};

/** Number of seeds of the reference. */
export const REFERENCE_SEEDS = 6;
