/** Differences with their 95 % intervals against zero, as SVG: one row each, so that a reader sees what is sure. @module */
import { axisOf } from "./axis_ticks.ts";
import { type DifferenceRow, modelName } from "./comparison.ts";
import { verdict, Z95 } from "./headline.ts";
import { type Html, html } from "./html.ts";
import { metricDifference, metricInfo } from "./metric_catalogue.ts";

const WIDTH = 640;
const ROW = 30;
const LABEL = 196;
const VALUE = 84;

/** The plot of `rows`, which share a metric; nothing for none. */
export function intervalPlot(rows: readonly DifferenceRow[]): Html | undefined {
  const first = rows[0];
  if (first === undefined) return undefined;
  const { metric } = first;
  const ends = rows.flatMap((r) => [r.mean - Z95 * r.stderr, r.mean + Z95 * r.stderr]);
  const axis = axisOf([0, ...ends], 5);
  const x = (value: number) =>
    Math.round((LABEL + ((value - axis.low) / (axis.high - axis.low)) * (WIDTH - LABEL - VALUE)) * 10) / 10;
  const height = rows.length * ROW + 24;
  const looks = { "beats": "better", "falls behind": "worse", "cannot be told from": "level" } as const;
  const label = metricInfo(metric).label.toLowerCase();
  return html`
    <figure class="intervals">
      <figcaption>Difference in ${label} and its 95 % interval</figcaption>
      <svg viewBox="0 0 ${WIDTH} ${height}" role="img"
        aria-label="Differences in ${label} with 95 % intervals">
    ${axis.ticks.map((t) =>
      html`
        <line class="${Math.abs(t) < 1e-12 ? "zero" : "grid"}" x1="${x(t)}" x2="${x(t)}" y1="0" y2="${height -
          20}" />
        <text class="tick" x="${x(t)}" y="${height - 5}" text-anchor="middle">${metricDifference(
          metric,
          t,
        )}</text>
      `
    )}
    ${rows.map((r, i) => {
      const y = i * ROW + ROW / 2;
      const [low, high] = [r.mean - Z95 * r.stderr, r.mean + Z95 * r.stderr];
      const look = looks[verdict(r)];
      return html`
        <g class="${look}">
          <text class="name" x="0" y="${y + 4}">${modelName(r.model)} − ${modelName(r.against)}, ${r
            .mode}</text>
          <line class="bar" x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" />
          <circle cx="${x(r.mean)}" cy="${y}" r="5" />
          <text class="value" x="${WIDTH}" y="${y + 4}" text-anchor="end">${metricDifference(
            metric,
            r.mean,
          )}</text>
        </g>
      `;
    })}
      </svg>
    </figure>
  `;
}
