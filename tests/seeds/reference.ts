/**
 * What the PyTorch reference of the quickstart gave on eval.jsonl over six seeds: mean and standard deviation over
 * seeds, by model, mode and metric. Source: fixtures/quickstart/README.md, references A (paper) and B (bagged).
 * @module
 */

/** Mean and deviation over seeds. */
export interface Spread {
  readonly mean: number;
  readonly std: number;
}

/** Figures of one reference by `model/mode/metric`. */
export type Reference = Readonly<Record<string, Spread>>;

const of = (mean: number, std: number): Spread => ({ mean, std });

/** Rows that both references share: SFT and what follows from it alone. */
const SHARED: Reference = {
  "sft/greedy/score": of(0.716, 0.029),
  "sft/greedy/both_words": of(0.467, 0.054),
  "sft/sampled/score": of(0.632, 0.025),
  "sft/sampled/both_words": of(0.373, 0.028),
  "continued_sft/greedy/score": of(0.733, 0.028),
  "continued_sft/greedy/both_words": of(0.497, 0.061),
  "continued_sft/sampled/score": of(0.656, 0.022),
  "continued_sft/sampled/both_words": of(0.423, 0.029),
};

/** References by manifest. */
export const REFERENCES: Readonly<Record<string, Reference>> = {
  quickstart: {
    ...SHARED,
    "srppo/greedy/score": of(0.895, 0.019),
    "srppo/greedy/both_words": of(0.819, 0.029),
    "srppo/sampled/score": of(0.786, 0.021),
    "srppo/sampled/both_words": of(0.636, 0.034),
  },
  paper: {
    ...SHARED,
    "srppo/greedy/score": of(0.811, 0.031),
    "srppo/greedy/both_words": of(0.648, 0.061),
    "srppo/sampled/score": of(0.681, 0.033),
    "srppo/sampled/both_words": of(0.471, 0.047),
  },
};

/** Seeds of the reference. */
export const REFERENCE_SEEDS = 6;
