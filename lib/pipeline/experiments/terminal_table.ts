/** The result on a terminal: arms with their main metrics and their differences to the controls. @module */
import Table from "cli-table3";
import { type Paint, paint } from "@/lib/report/ansi.ts";
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import { MODES } from "@/lib/report/comparison.ts";
import { counted, duration } from "@/lib/report/format.ts";
import { verdictOf } from "@/lib/report/headline.ts";
import { betterArrow, metricDifference, shortLabel } from "@/lib/report/metric_catalogue.ts";
import { spreadOf } from "@/lib/report/spread.ts";
import { intervalText } from "./differences_section.ts";
import { armLabel, type ExperimentReport } from "./experiment_report.ts";
import { placeLabel, spreadText } from "./results_section.ts";

/** Metrics beside the leading one; the page has all. */
const BESIDE = ["both_words", "base_nll", "kl_to_sft"];

function modeTable(report: ExperimentReport, mode: DecodingMode, colours: Paint): string {
  const own = report.results.filter((r) => r.mode === mode);
  const present = new Set(own.map(({ metric }) => metric));
  const metrics = [report.metric, ...BESIDE.filter((m) => m !== report.metric)].filter((m) => present.has(m));
  if (metrics.length === 0) return "";
  const table = new Table({
    head: [
      mode,
      ...metrics.map((metric) => `${shortLabel(metric)}${betterArrow(metric)}`),
      ...report.controls.map((control) => `${shortLabel(report.metric)} − ${armLabel(report, control)}`),
    ].map(colours.bold),
    colAligns: [
      "left",
      ...metrics.map(() => "right" as const),
      ...report.controls.map(() => "left" as const),
    ],
    style: { head: [], border: [], compact: true },
  });
  const key = ({ arm, point }: { readonly arm: string; readonly point: unknown }) =>
    JSON.stringify([arm, point]);
  const places = new Map(own.map((row) => [key(row), row]));
  for (const [place, { arm, point }] of places) {
    table.push([
      placeLabel(report, arm, point),
      ...metrics.map((metric) => {
        const row = own.find((r) => r.metric === metric && key(r) === place);
        return row === undefined ? "" : spreadText(row);
      }),
      ...report.controls.map((against) => {
        const d = report.differences.find((d) =>
          d.against === against && d.mode === mode && d.metric === report.metric && key(d) === place
        );
        if (d === undefined) return "";
        const text = `${metricDifference(d.metric, d.mean)}  ${
          d.interval === null ? "one seed" : intervalText(d.metric, d.interval)
        }`;
        return { better: colours.green, worse: colours.red, level: (t: string) => t }
          [verdictOf(d.metric, d.interval)](text);
      }),
    ]);
  }
  return table.toString();
}

/** Returns the text at the end of an experiment, without a line break at its end. */
export function experimentSummary(
  report: ExperimentReport,
  options: { readonly colours?: boolean } = {},
): string {
  const colours = paint(options.colours ?? false);
  const missing = report.runs.filter(({ done }) => !done).length;
  const title = `${report.experiment}: ${counted(report.arms.length, "arm")}, ${
    counted(report.seeds.length, "seed")
  }${missing === 0 ? "" : `, ${counted(missing, "run")} of ${report.runs.length} not done`}`;
  const costs = report.arms.flatMap(({ name, label }) => {
    const own = report.costs.filter(({ arm }) => arm === name).map(({ seconds }) => seconds);
    return own.length === 0 ? [] : `${label} ${duration(spreadOf(own).mean)}`;
  });
  const parts = [
    colours.bold(title),
    ...MODES.map((mode) => modeTable(report, mode, colours)),
    report.results.length === 0 ? "" : colours.dim(
      "mean ± standard deviation over seeds; differences paired by seed, with 95 % interval by Student's t",
    ),
    costs.length === 0 ? "" : `${colours.bold("time per seed")}  ${costs.join(", ")}`,
  ];
  return parts.filter((part) => part !== "").join("\n");
}
