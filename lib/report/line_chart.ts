/**
 * A small line chart of a metric as SVG, with bands of one standard deviation where the points have one. The page's
 * style colours it; the page's script reads the `data-` attributes to show the values under the pointer.
 * @module
 */
import { type Axis, axisOf } from "./axis_ticks.ts";
import { decimal } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { metricInfo, metricText } from "./metric_catalogue.ts";
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";

/** One point: a value, or a mean with its standard deviation. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly std?: number;
}

/** One curve. */
export interface Series {
  readonly name: string;
  /** CSS class of the curve: `main`, `second`, `faint`, or one of the page's own */
  readonly look: string;
  readonly points: readonly ChartPoint[];
}

/** What a chart shows. */
export interface ChartOptions {
  /** unit, digits and help follow from it */
  readonly metric: string;
  /** default: the metric's label */
  readonly title?: string;
  /** sentences after the metric's help */
  readonly note?: string;
  readonly xLabel: string;
  /** log: for sizes that double; every x must be above 0, and the values of the points are the ticks */
  readonly scale?: "linear" | "log";
  readonly series: readonly Series[];
}

const WIDTH = 340;
const HEIGHT = 170;
const LEFT = 40;
const END = WIDTH - 10;
const TOP = 8;
const BOTTOM = HEIGHT - 26;
/** Curves with more points have a dot at their end only. */
const MOST_DOTS = 12;

/** Places of values on the drawing. */
interface Frame {
  readonly x: (value: number) => string;
  readonly y: (value: number) => string;
}

/** Returns a coordinate with a tenth of a unit. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Returns the names of curves that look alike; of many copies the first and how many more there are. */
function keyOf(names: readonly string[]): string {
  return names.length <= 2 ? names.join(", ") : `${names[0]} and ${names.length - 1} more`;
}

function curve({ look, points }: Series, { x, y }: Frame): Html {
  const path = (values: readonly (readonly [number, number])[]) =>
    values.map(([px, py], k) => `${k === 0 ? "M" : "L"}${x(px)} ${y(py)}`).join("");
  const edge = (side: 1 | -1) => points.map((p) => [p.x, p.y + side * (p.std ?? 0)] as const);
  const band = points.length > 1 && points.some(({ std = 0 }) => std > 0)
    ? markup`<path class="band ${look}" d="${path([...edge(1), ...edge(-1).reverse()])}Z"/>`
    : undefined;
  const dots = look === "faint"
    ? []
    : points[0]!.std === undefined || points.length > MOST_DOTS
    ? points.slice(-1)
    : points;
  return markup`${band}<path class="line ${look}" d="${path(points.map((p) => [p.x, p.y] as const))}"/>
${dots.map((p) => markup`<circle class="dot ${look}" cx="${x(p.x)}" cy="${y(p.y)}" r="3"/>`)}`;
}

function labels(axis: Axis, xTicks: readonly number[], { x, y }: Frame, isLog: boolean): Html {
  const rows = axis.ticks.map((t) =>
    markup`<line class="grid" x1="${LEFT}" x2="${END}" y1="${y(t)}" y2="${y(t)}"/>
<text class="tick" x="${LEFT - 6}" y="${at(Number(y(t)) + 3.5)}" text-anchor="end">${
      decimal(t, axis.digits)
    }</text>
`
  );
  const marks = xTicks.map((t) =>
    markup`<text class="tick" x="${x(t)}" y="${BOTTOM + 14}" text-anchor="middle">${
      isLog ? String(t) : decimal(t, 0)
    }</text>
`
  );
  return markup`${rows}${marks}`;
}

function keysOf(shown: readonly Series[]): Html[] {
  if (shown.length < 2) return [];
  return [...new Set(shown.map(({ look }) => look))].map((look) =>
    markup`<span class="key ${look}">${keyOf(shown.filter((s) => s.look === look).map((s) => s.name))}</span>`
  );
}

/** Returns a chart with its caption; undefined when no curve has a point. */
export function lineChart(options: ChartOptions): Html | undefined {
  const { metric, xLabel } = options;
  const { label, help, percent } = metricInfo(metric);
  const factor = percent ? 100 : 1; // the axis shows per cent
  const shown = options.series.map((s) => ({
    ...s,
    points: s.points.filter((p) => Number.isFinite(p.y)).map(({ x, y, std }): ChartPoint => ({
      x,
      y: factor * y,
      ...(std === undefined ? {} : { std: factor * std }),
    })),
  })).filter((s) => s.points.length > 0);
  if (shown.length === 0) return undefined;
  const isLog = options.scale === "log";
  const points = shown.flatMap((s) => s.points);
  const along = (value: number) => isLog ? Math.log2(value) : value;
  const xs = points.map((p) => along(p.x));
  const [first, last] = [smallest(xs), largest(xs)];
  const axis = axisOf(points.flatMap(({ y, std = 0 }) => [y - std, y + std]));
  const frame: Frame = {
    x: (value) => at(LEFT + (last > first ? (along(value) - first) / (last - first) : 0.5) * (END - LEFT)),
    y: (value) => at(TOP + ((axis.high - value) / (axis.high - axis.low)) * (BOTTOM - TOP)),
  };
  const xTicks = isLog
    ? [...new Set(points.map((p) => p.x))]
    : axisOf([first, last], 5).ticks.filter((t) => Number.isInteger(t) && t >= first && t <= last);
  const text = (p: ChartPoint) => metricText(metric, p.y / factor);
  const data = JSON.stringify(
    shown.map(({ name, points }) => ({
      name,
      points: points.map((p) => [Number(frame.x(p.x)), p.x, text(p)]),
    })),
  );
  const title = options.title ?? label;
  const lead = shown.length === 1 ? shown[0] : shown.find((s) => s.look === "main");
  const change = lead === undefined ? "" : `${text(lead.points[0]!)} → ${text(lead.points.at(-1)!)}`;
  const spoken = shown.map(({ name, points }) => `${name} ${text(points.at(-1)!)}`).join(", ");
  return markup`<figure class="chart">
<figcaption><b>${title}</b><output>${change}</output><small>${help} ${options.note} ${
    keysOf(shown)
  }</small></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}, at the end: ${spoken}"
 data-x="${xLabel}" data-series="${data}">
${labels(axis, xTicks, frame, isLog)}<text class="tick" x="${END}" y="${
    HEIGHT - 1
  }" text-anchor="end">${xLabel}</text>
${
    shown.map((s) => curve(s, frame))
  }<line class="cursor" y1="${TOP}" y2="${BOTTOM}" visibility="hidden"/></svg></figure>
`;
}
