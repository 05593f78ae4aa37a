/**
 * Compares models: which stands against which, by how much they differ and how sure that is, and which is best in
 * a metric. Rows in, rows out; no file is touched.
 * @module
 */
import type { Report } from "./report_schema.ts";

/** A row of the comparison. */
export type ComparisonRow = Report["comparison"][number];
/** A difference of two models. */
export type DifferenceRow = Report["differences"][number];
/** A response with its scores. */
export type SampleRow = Report["samples"][number];
/** greedy or sampled */
export type Mode = ComparisonRow["mode"];

/** Modes in the order in which they are shown. */
export const MODES: readonly Mode[] = ["greedy", "sampled"];

const ORDER = ["base", "sft", "continued_sft", "srppo"];
const NAMES: Readonly<Record<string, string>> = {
  base: "base",
  sft: "SFT",
  continued_sft: "continued SFT",
  srppo: "SRPPO",
};

/** How a model is called in a sentence. */
export function modelName(model: string): string {
  return NAMES[model] ?? model.replaceAll("_", " ");
}

/** The models of some rows, in the order base, SFT, continued SFT, SRPPO, then others as they come. */
export function modelsOf(rows: readonly { readonly model: string }[]): string[] {
  const rank = (model: string) => ORDER.includes(model) ? ORDER.indexOf(model) : ORDER.length;
  return [...new Set(rows.map((r) => r.model))].sort((a, b) => rank(a) - rank(b));
}

/** The row of a model, mode and metric, if there is one. */
export function find(
  rows: readonly ComparisonRow[],
  key: { readonly model: string; readonly mode: Mode; readonly metric: string },
): ComparisonRow | undefined {
  return rows.find((r) => r.model === key.model && r.mode === key.mode && r.metric === key.metric);
}

/** The model that a run is about: `srppo`, else the last that is not a baseline, else the last. */
export function subjectOf(models: readonly string[]): string | undefined {
  if (models.includes("srppo")) return "srppo";
  return models.filter((m) => !ORDER.includes(m)).at(-1) ?? models.at(-1);
}

/**
 * Mean and standard error of the differences a − b over the prompts that both answered, or undefined unless the
 * samples of both are complete: `n` prompts, each once.
 *
 * The standard error is that of the mean of the n differences, with n − 1 in the variance.
 */
export function pairedDifference(
  a: readonly number[],
  b: readonly number[],
): { readonly mean: number; readonly stderr: number } | undefined {
  if (a.length !== b.length || a.length < 2) return undefined;
  const differences = a.map((value, i) => value - b[i]!);
  const mean = differences.reduce((sum, d) => sum + d, 0) / differences.length;
  const squares = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0);
  return { mean, stderr: Math.sqrt(squares / (differences.length - 1) / differences.length) };
}

function scoresByPrompt(samples: readonly SampleRow[], row: ComparisonRow): Map<string, number> | undefined {
  const own = samples.filter((s) => s.model === row.model && s.mode === row.mode);
  const scores = new Map<string, number>();
  for (const sample of own) {
    const score = sample.scores[row.metric];
    if (score !== undefined) scores.set(sample.prompt_id, score);
  }
  return scores.size === row.n && own.length === row.n ? scores : undefined;
}

/**
 * How the subject differs from every other model, in every mode and metric that both have: paired by prompt where
 * all scores of both are at hand, else from the two standard errors as if the answers were independent.
 */
export function differences(rows: readonly ComparisonRow[], samples: readonly SampleRow[]): DifferenceRow[] {
  const models = modelsOf(rows);
  const subject = subjectOf(models);
  const result: DifferenceRow[] = [];
  for (const own of rows) {
    if (own.model !== subject) continue;
    const { mode, metric } = own;
    const scores = scoresByPrompt(samples, own);
    for (const against of models) {
      const other = against === subject ? undefined : find(rows, { model: against, mode, metric });
      if (other === undefined) continue;
      const theirs = scoresByPrompt(samples, other);
      const ids = scores === undefined || theirs === undefined ? [] : [...scores.keys()];
      const paired = ids.every((id) => theirs!.has(id))
        ? pairedDifference(ids.map((id) => scores!.get(id)!), ids.map((id) => theirs!.get(id)!))
        : undefined;
      result.push({
        model: own.model,
        against,
        mode,
        metric,
        mean: own.mean - other.mean,
        stderr: paired?.stderr ?? Math.hypot(own.stderr, other.stderr),
        n: Math.min(own.n, other.n),
        paired: paired !== undefined,
      });
    }
  }
  return result;
}

/** The models with the best mean of a row of the table; none where no direction is better or all are equal. */
export function bestModels(
  rows: readonly ComparisonRow[],
  options: { readonly mode: Mode; readonly metric: string; readonly better: "more" | "less" | undefined },
): ReadonlySet<string> {
  const own = rows.filter((r) => r.mode === options.mode && r.metric === options.metric);
  if (options.better === undefined || own.length < 2) return new Set();
  const means = own.map((r) => r.mean);
  const best = options.better === "more" ? Math.max(...means) : Math.min(...means);
  const winners = own.filter((r) => r.mean === best);
  return winners.length === own.length ? new Set() : new Set(winners.map((r) => r.model));
}
