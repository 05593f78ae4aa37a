/**
 * A small line chart as SVG: drawn once, sharp in print, coloured by the page's style. The page's script reads the
 * `data-` attributes to tell the values under the pointer; without it the chart loses nothing else.
 * @module
 */
import { axisOf } from "./axis_ticks.ts";
import { decimal } from "./format.ts";
import { type Html, markup } from "./html.ts";

/** One curve. */
export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** class of the line: `main`, `second` or `faint` */
  readonly look: typeof LOOKS[number];
}

/** What a chart shows. */
export interface ChartOptions {
  readonly title: string;
  /** one sentence under the title */
  readonly help: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
  readonly text: (value: number) => string;
}

const WIDTH = 340;
const HEIGHT = 170;
const LEFT = 40;
const RIGHT = 10;
const END = WIDTH - RIGHT;
const LOOKS = ["main", "second", "faint"] as const;
const TOP = 8;
const BOTTOM = 26;

/** Coordinates need no more than a tenth of a unit. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Names of curves that look alike; of many copies the first and how many more there are. */
function keyOf(names: readonly string[]): string {
  return names.length <= 2 ? names.join(", ") : `${names[0]} and ${names.length - 1} more`;
}

/** A chart with its caption; nothing when no curve has a point. */
export function lineChart({ title, help, xLabel, series, text }: ChartOptions): Html | undefined {
  const shown = series.filter((s) => s.points.some((p) => Number.isFinite(p.y)));
  if (shown.length === 0) return undefined;
  const points = shown.flatMap((s) => s.points);
  const xs = points.map((p) => p.x);
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const axis = axisOf(points.map((p) => p.y));
  const x = (value: number) => LEFT + ((value - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => TOP + ((axis.high - value) / (axis.high - axis.low)) * (HEIGHT - TOP - BOTTOM);
  const xTicks = axisOf([first, last], 5).ticks.filter((t) => Number.isInteger(t) && t >= first && t <= last);
  const paths = shown.map((s) => {
    const finite = s.points.filter((p) => Number.isFinite(p.y));
    const d = finite.map((p, i) => `${i === 0 ? "M" : "L"}${at(x(p.x))} ${at(y(p.y))}`).join("");
    const end = finite.at(-1)!;
    const dot = s.look === "faint" ? undefined : markup`
      <circle class="dot ${s.look}" cx="${at(x(end.x))}" cy="${at(y(end.y))}" r="3" />
    `;
    return markup`
      <path class="line ${s.look}" d="${d}" />${dot}
    `;
  });
  const data = JSON.stringify(shown.map((s) => ({
    name: s.name,
    points: s.points.map((p) => [Number(at(x(p.x))), p.x, text(p.y)]),
  })));
  const lead = shown.find((s) => s.look === "main") ?? shown[0]!;
  const from = text(lead.points[0]!.y);
  const to = text(lead.points.at(-1)!.y);
  const keys = shown.length < 2 ? [] : LOOKS.map((look) => {
    const names = shown.filter((s) => s.look === look).map((s) => s.name);
    return names.length === 0 ? undefined : markup`<span class="key ${look}">${keyOf(names)}</span>`;
  });
  const rows = axis.ticks.map((t) =>
    markup`<line class="grid" x1="${LEFT}" x2="${END}" y1="${at(y(t))}" y2="${at(y(t))}"/>
<text class="tick" x="${LEFT - 6}" y="${at(y(t) + 3.5)}" text-anchor="end">${decimal(t, axis.digits)}</text>
`
  );
  const marks = xTicks.map((t) =>
    markup`<text class="tick" x="${at(x(t))}" y="${HEIGHT - BOTTOM + 14}" text-anchor="middle">${
      decimal(t, 0)
    }</text>
`
  );
  return markup`<figure class="chart">
<figcaption><b>${title}</b><output>${from} → ${to}</output><small>${help} ${keys}</small></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}: ${from} to ${to} over ${lead.points.length} points"
 data-x="${xLabel}" data-series="${data}">
${rows}${marks}<text class="tick" x="${END}" y="${HEIGHT - 1}" text-anchor="end">${xLabel}</text>
${paths}<line class="cursor" y1="${TOP}" y2="${HEIGHT - BOTTOM}" visibility="hidden"/></svg></figure>
`;
}
