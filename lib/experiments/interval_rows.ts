/**
 * Differences to a control with their intervals against zero, a row each: what is sure, at a glance. The look is that of a
 * run's report; the intervals are Student's, over seeds.
 * @module
 */
import { axisOf } from "@/lib/report/axis_ticks.ts";
import { signed } from "@/lib/report/format.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import { labelInSentence, metricDifference, metricInfo } from "@/lib/report/metric_catalogue.ts";
import type { ExperimentReport } from "./experiment_report.ts";

/** One row of the plot. */
export interface IntervalRow {
  readonly name: string;
  readonly difference: ExperimentReport["differences"][number];
}

/** Better, worse, or neither, as far as the interval tells. */
export function verdictOf(
  { interval, metric }: Pick<ExperimentReport["differences"][number], "interval" | "metric">,
): "better" | "worse" | "level" {
  if (interval === null) return "level";
  const { better } = metricInfo(metric);
  if (better === undefined || (interval[0] <= 0 && interval[1] >= 0)) return "level";
  return (interval[0] > 0) === (better === "more") ? "better" : "worse";
}

/** The plot of rows that share a metric; nothing for none. */
export function intervalRows(title: string, rows: readonly IntervalRow[]): Html | undefined {
  const first = rows[0];
  if (first === undefined) return undefined;
  const { metric } = first.difference;
  const ends = rows.flatMap(({ difference: d }) => d.interval ?? [d.mean]);
  const axis = axisOf([0, ...ends], 5);
  const share = (value: number) => (100 * value) / (axis.high - axis.low);
  const place = (value: number) => share(value - axis.low).toFixed(2);
  const lines = axis.ticks.map((t) =>
    markup`<u class="${Math.abs(t) < 1e-12 ? "zero" : ""}" style="left:${place(t)}%"></u>`
  );
  const numbers = axis.ticks.map((t) => {
    const text = metricInfo(metric).percent
      ? signed(100 * t, Math.max(0, axis.digits - 2))
      : signed(t, axis.digits);
    return markup`<span style="left:${place(t)}%">${text}</span>`;
  });
  const bars = rows.map(({ name, difference: d }) => {
    const [low, high] = d.interval ?? [d.mean, d.mean];
    const told = d.interval === null
      ? "one seed"
      : `95 % interval ${metricDifference(metric, low)} to ${metricDifference(metric, high)}, ${d.n} seeds`;
    return markup`<div class="interval ${verdictOf(d)}" title="${told}">
<span>${name}</span>
<div>${lines}<i style="left:${place(low)}%;width:${share(high - low).toFixed(2)}%"></i><b style="left:${
      place(d.mean)
    }%"></b></div>
<strong>${metricDifference(metric, d.mean)}</strong></div>
`;
  });
  return markup`<figure class="intervals"><figcaption>${title}: difference in ${
    labelInSentence(metric)
  }, and its 95 % interval over seeds</figcaption>
${bars}<div class="interval axis"><span></span><div>${numbers}</div><strong></strong></div></figure>
`;
}
