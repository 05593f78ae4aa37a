/** Benchmarks on a terminal: a row per metric, a column per model, and the differences between models. @module */
import Table from "cli-table3";
import { escapeBidirectional } from "@/lib/compute/tensor/control_characters.ts";

/** One metric of a model. */
interface MetricValue {
  readonly metric: string;
  readonly mean: number;
  readonly stderr: number;
  readonly n: number;
}

/** Results of one task, as in report.json of `deno task evaluate`. */
export interface BenchmarkTable {
  readonly task: string;
  readonly version: string;
  readonly origin: string;
  readonly template: string;
  readonly few_shot: number;
  readonly documents: number;
  readonly models: readonly { readonly model: string; readonly metrics: readonly MetricValue[] }[];
  readonly differences: readonly {
    readonly metric: string;
    readonly first: string;
    readonly second: string;
    readonly difference: number;
    readonly low: number;
    readonly high: number;
    readonly p: number;
  }[];
}

/** Returns the lines of a task: its name, version and template, then the table, then the differences. */
export function benchmarkTable(report: BenchmarkTable): string {
  const { task, version, origin, template, few_shot: shots, documents, models, differences } = report;
  const head =
    `${task}, version ${version} (${origin}), ${shots}-shot, template: ${template}, ${documents} documents`;
  const names = models.map(({ model }) => model);
  const table = new Table({
    head: ["metric", "n", ...names],
    colAligns: ["left", "right", ...names.map(() => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const { metric, n } of models[0]?.metrics ?? []) {
    table.push([
      metric,
      String(n),
      ...models.map(({ metrics }) => {
        const value = metrics.find((row) => row.metric === metric);
        return value === undefined ? "" : `${value.mean.toFixed(4)} ± ${value.stderr.toFixed(4)}`;
      }),
    ]);
  }
  const lines = differences.map(({ metric, first, second, difference, low, high, p }) => {
    const verdict = low > 0 || high < 0 ? `p = ${p.toFixed(4)}` : "no significant difference";
    return `${first} − ${second}, ${metric}: ${signed(difference)} [${signed(low)}, ${
      signed(high)
    }], ${verdict}`;
  });
  const note = "mean ± one standard error over documents";
  const notes = lines.length === 0
    ? [note]
    : [note, "differences with 95 % intervals of a paired bootstrap:", ...lines];
  return escapeBidirectional([head, table.toString(), ...notes].join("\n"));
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;
}
