/**
 * Pairs of models of one run, each with the true difference in score and with what there is without a checker. In: the samples and
 * evaluations of a run of pipelines/variants/audit.yaml. Out: a row per pair and decoding mode.
 * @module
 */
import type { DecodingMode, EvalRow } from "@/lib/data/contracts/evals.ts";
import type { SampleRow } from "@/lib/data/contracts/samples.ts";

/** One model of a run, as it was evaluated. */
export interface Arm {
  /** `sft`, `continued`, or `paper@10`: the loop and its iteration, from 1 */
  readonly name: string;
  readonly samples: readonly SampleRow[];
  readonly evals: readonly EvalRow[];
  /** samples with the paper's reward, for the models of that loop and their baselines */
  readonly paper: readonly SampleRow[] | undefined;
}

/** What names the better model of a pair, each as a difference that is positive where it names the first. */
export const PREDICTORS = [
  "audit_reward",
  "audit_without_eos",
  "audit_length_matched",
  "trained_reward",
  "validation_nll",
  "base_nll",
  "eos_rate",
  "longer",
] as const;

/** One of the predictors. */
export type Predictor = typeof PREDICTORS[number];

/** A pair of models. */
export interface Pair {
  readonly seed: number;
  readonly demonstrations: number;
  readonly mode: DecodingMode;
  readonly a: string;
  readonly b: string;
  /** mean score of a minus that of b, and its standard error, paired by prompt */
  readonly score: number;
  readonly stderr: number;
  /** null: not defined for this pair */
  readonly by: Readonly<Record<Predictor, number | null>>;
}

/** Relative difference of length up to which responses to a prompt count as equally long. */
const SAME_LENGTH = 0.1;
/** Fewest prompts with equally long responses for a decision. */
const LEAST_MATCHED = 16;

/** Returns all pairs of `arms` in both modes. */
export function pairsOf(
  arms: readonly Arm[],
  run: { readonly seed: number; readonly demonstrations: number },
): Pair[] {
  return arms.flatMap((b, k) =>
    arms.slice(k + 1).flatMap((a) =>
      (["greedy", "sampled"] as const).map((mode) => ({
        ...run,
        mode,
        a: a.name,
        b: b.name,
        ...scoreOf(a, b, mode),
        by: predictions(a, b, mode),
      }))
    )
  );
}

function scoreOf(a: Arm, b: Arm, mode: DecodingMode): { readonly score: number; readonly stderr: number } {
  const differences = paired(a.samples, b.samples, mode, "score");
  const score = meanOf(differences), n = differences.length;
  const squares = differences.reduce((sum, d) => sum + (d - score) ** 2, 0);
  return { score, stderr: Math.sqrt(squares / (n - 1) / n) };
}

function predictions(a: Arm, b: Arm, mode: DecodingMode): Pair["by"] {
  const mean = (metric: string) => meanOf(paired(a.samples, b.samples, mode, metric));
  const nll = (metric: string) => {
    const [ofA, ofB] = [a, b].map(({ evals }) =>
      evals.find((r) => r.mode === mode && r.metric === metric)?.mean
    );
    return ofA === undefined || ofB === undefined ? null : ofB - ofA;
  };
  return {
    audit_reward: mean("audit_reward"),
    audit_without_eos: mean("audit_reward_without_eos"),
    audit_length_matched: lengthMatched(a, b, mode),
    trained_reward: trainedReward(a, b, mode),
    validation_nll: nll("validation_nll"),
    base_nll: nll("base_nll"),
    eos_rate: mean("eos_rate"),
    longer: mean("response_length"),
  };
}

/** Returns the mean difference in audit reward over the prompts whose two responses are about equally long. */
function lengthMatched(a: Arm, b: Arm, mode: DecodingMode): number | null {
  const audit = paired(a.samples, b.samples, mode, "audit_reward");
  const lengths = [a, b].map(({ samples }) => valuesOf(samples, mode, "response_length"));
  const matched = [...lengths[0]!.keys()].map((id) => {
    const [own, other] = lengths.map((values) => values.get(id)!) as [number, number];
    return Math.abs(own - other) <= SAME_LENGTH * Math.max(own, other);
  });
  const kept = audit.filter((_, i) => matched[i]);
  return kept.length < LEAST_MATCHED ? null : meanOf(kept);
}

/** Returns the difference in the reward that the loop of the pair maximizes; null for a pair of two loops. */
function trainedReward(a: Arm, b: Arm, mode: DecodingMode): number | null {
  const loops = new Set([a, b].flatMap(({ name }) => name.includes("@") ? [name.split("@")[0]!] : []));
  if (loops.size > 1) return null;
  const [ofA, ofB] = loops.has("paper") ? [a.paper, b.paper] : [a.samples, b.samples];
  return ofA && ofB ? meanOf(paired(ofA, ofB, mode, "reward")) : null;
}

/** Returns the differences a − b of a metric, by prompt. */
function paired(
  a: readonly SampleRow[],
  b: readonly SampleRow[],
  mode: DecodingMode,
  metric: string,
): number[] {
  const ofA = valuesOf(a, mode, metric), ofB = valuesOf(b, mode, metric);
  return [...ofA].map(([id, value]) => {
    const other = ofB.get(id);
    if (other === undefined) throw new RangeError(`Both models must answer prompt ${id}, got one`);
    return value - other;
  });
}

function valuesOf(samples: readonly SampleRow[], mode: DecodingMode, metric: string): Map<string, number> {
  return new Map(
    samples.filter((row) => row.mode === mode).map(({ promptId, scores }) => [
      promptId,
      (JSON.parse(scores) as Record<string, number>)[metric]!,
    ]),
  );
}

function meanOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
