/**
 * Plots differences with their 95 % intervals, one row each, on an axis with zero. Boxes placed by percentages instead
 * of a drawing: on a narrow screen the names move above the bars and keep their size.
 * @module
 */
import { axisOf } from "./axis_ticks.ts";
import { signed } from "./format.ts";
import { type Verdict, verdictOf } from "./headline.ts";
import { type Html, markup } from "./html.ts";
import { metricDifference, metricInfo, metricInterval } from "./metric_catalogue.ts";

/** One row of the plot. */
export interface IntervalRow {
  readonly name: string;
  readonly mean: number;
  /** null: not known */
  readonly interval: readonly [low: number, high: number] | null;
  /** shown after the interval under the pointer */
  readonly note: string;
  /** default: whether the interval excludes zero */
  readonly verdict?: Verdict;
}

/** Returns the plot of differences in `metric`; undefined without rows. */
export function intervalPlot(
  caption: string,
  metric: string,
  rows: readonly IntervalRow[],
): Html | undefined {
  if (rows.length === 0) return undefined;
  const axis = axisOf([0, ...rows.flatMap(({ mean, interval }) => interval ?? [mean])], 5);
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
  const bars = rows.map(({ name, mean, interval, note, verdict = verdictOf(metric, interval) }) => {
    const title = interval === null ? note : `95 % interval: ${metricInterval(metric, interval)}${note}`;
    // Without an interval there is no bar: one without width would look like certainty.
    const bar = interval === null
      ? undefined
      : markup`<i style="left:${place(interval[0])}%;width:${
        share(interval[1] - interval[0]).toFixed(2)
      }%"></i>`;
    return markup`<div class="interval ${verdict}" title="${title}">
<span>${name}</span>
<div>${lines}${bar}<b style="left:${place(mean)}%"></b></div>
<strong>${metricDifference(metric, mean)}</strong></div>
`;
  });
  return markup`<figure class="intervals"><figcaption>${caption}</figcaption>
${bars}<div class="interval axis"><span></span><div>${numbers}</div><strong></strong></div></figure>
`;
}
