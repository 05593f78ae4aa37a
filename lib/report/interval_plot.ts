/**
 * Differences with their 95 % intervals against zero: one row each, so that a reader sees what is sure. Boxes placed by
 * percentages instead of a drawing: on a narrow screen the names move above the bars and keep their size.
 * @module
 */
import { axisOf } from "./axis_ticks.ts";
import { type DifferenceRow, modelName } from "./comparison.ts";
import { signed } from "./format.ts";
import { verdict, Z95 } from "./headline.ts";
import { type Html, markup } from "./html.ts";
import { labelInSentence, metricDifference, metricInfo } from "./metric_catalogue.ts";

const LOOKS = { "beats": "better", "falls behind": "worse", "cannot be told from": "level" } as const;

/** The plot of `rows`, which share a metric; nothing for none. */
export function intervalPlot(rows: readonly DifferenceRow[]): Html | undefined {
  const first = rows[0];
  if (first === undefined) return undefined;
  const { metric } = first;
  const { percent } = metricInfo(metric);
  const intervals = rows.map((r) => [r.mean - Z95 * r.stderr, r.mean + Z95 * r.stderr] as const);
  const axis = axisOf([0, ...intervals.flat()], 5);
  const share = (value: number) => (100 * value) / (axis.high - axis.low);
  const place = (value: number) => share(value - axis.low).toFixed(2);
  const lines = axis.ticks.map((t) =>
    markup`<u class="${Math.abs(t) < 1e-12 ? "zero" : ""}" style="left:${place(t)}%"></u>`
  );
  const numbers = axis.ticks.map((t) => {
    const text = percent ? signed(100 * t, Math.max(0, axis.digits - 2)) : signed(t, axis.digits);
    return markup`<span style="left:${place(t)}%">${text}</span>`;
  });
  const bars = rows.map((r, i) => {
    const [low, high] = intervals[i]!;
    const value = metricDifference(metric, r.mean);
    const title = `${metricDifference(metric, low)} to ${metricDifference(metric, high)}`;
    return markup`<div class="interval ${LOOKS[verdict(r)]}" title="95 % interval: ${title}">
<span>${modelName(r.model)} − ${modelName(r.against)}, ${r.mode}</span>
<div>${lines}<i style="left:${place(low)}%;width:${share(high - low).toFixed(2)}%"></i><b style="left:${
      place(r.mean)
    }%"></b></div>
<strong>${value}</strong></div>
`;
  });
  return markup`<figure class="intervals"><figcaption>Difference in ${
    labelInSentence(metric)
  } and its 95 % interval</figcaption>
${bars}<div class="interval axis"><span></span><div>${numbers}</div><strong></strong></div></figure>
`;
}
