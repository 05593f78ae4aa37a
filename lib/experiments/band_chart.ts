/**
 * A line chart of means with bands of one standard deviation, for several arms; the page's script tells the values under
 * the pointer. Like the charts of a run's report, with more colours, bands, and an axis that may count in doublings.
 * @module
 */
import { axisOf } from "@/lib/report/axis_ticks.ts";
import { decimal } from "@/lib/report/format.ts";
import { type Html, markup } from "@/lib/report/html.ts";

/** One point: a mean, and how far seeds lie around it. */
export interface BandPoint {
  readonly x: number;
  readonly y: number;
  readonly std: number;
}

/** One curve. */
export interface BandSeries {
  readonly name: string;
  /** which of `COLOURS` */
  readonly colour: number;
  readonly points: readonly BandPoint[];
}

/** What a chart shows. */
export interface BandChartOptions {
  readonly title: string;
  /** one sentence under the title */
  readonly help: string;
  readonly xLabel: string;
  /** log: for sizes that double; every x must be above 0, and the values of the points are the ticks */
  readonly scale: "linear" | "log";
  readonly series: readonly BandSeries[];
  /** what stands for a value of the curves */
  readonly text: (value: number) => string;
}

/** How many colours there are; after them they come again. */
export const COLOURS = 8;

/** CSS of these charts. */
export const BAND_STYLE = `
:root{--c0:#0b7a6b;--c1:#b4387c;--c2:#2f5fc4;--c3:#b86e00;--c4:#6a4bb8;--c5:#2d8a3e;--c6:#c0392b;--c7:#5b6b7f}
@media (prefers-color-scheme:dark){:root{--c0:#4fd1b5;--c1:#f08bc0;--c2:#86aef5;--c3:#f0b35a;--c4:#b9a2f2;--c5:#7fd18c;--c6:#f5897d;--c7:#a3b1c2}}
${
  Array.from(
    { length: COLOURS },
    (_, k) =>
      `.line.c${k}{stroke:var(--c${k})}.band.c${k},.dot.c${k}{fill:var(--c${k})}.key.c${k}::before{background:var(--c${k})}`,
  ).join("\n")
}
.band{opacity:.13}.chart .keys{display:block;margin-top:.15rem}.charts.wide{grid-template-columns:repeat(auto-fill,minmax(24rem,1fr))}
`;

const WIDTH = 340;
const HEIGHT = 190;
const LEFT = 40;
const RIGHT = 12;
const TOP = 8;
const BOTTOM = 26;
const END = WIDTH - RIGHT;

/** Coordinates need no more than a tenth of a unit. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A chart with its caption; nothing when no curve has a point. */
export function bandChart(options: BandChartOptions): Html | undefined {
  const { title, help, xLabel, scale, text } = options;
  const shown = options.series.filter(({ points }) => points.length > 0);
  if (shown.length === 0) return undefined;
  const points = shown.flatMap((s) => s.points);
  const along = (value: number) => scale === "log" ? Math.log2(value) : value;
  const xs = points.map((p) => along(p.x));
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const axis = axisOf(points.flatMap((p) => [p.y - p.std, p.y + p.std]));
  const x = (value: number) =>
    LEFT + (last > first ? (along(value) - first) / (last - first) : 0.5) * (END - LEFT);
  const y = (value: number) => TOP + ((axis.high - value) / (axis.high - axis.low)) * (HEIGHT - TOP - BOTTOM);
  const ticks = scale === "log"
    ? [...new Set(points.map((p) => p.x))]
    : axisOf([first, last], 5).ticks.filter((t) => Number.isInteger(t) && t >= first && t <= last);

  const curves = shown.map(({ colour, points }) => {
    const look = `c${colour % COLOURS}`;
    const path = (values: readonly (readonly [number, number])[]) =>
      values.map(([px, py], k) => `${k === 0 ? "M" : "L"}${at(x(px))} ${at(y(py))}`).join("");
    const upper = points.map((p) => [p.x, p.y + p.std] as const);
    const lower = points.map((p) => [p.x, p.y - p.std] as const).reverse();
    const band = points.length > 1 && points.some((p) => p.std > 0)
      ? markup`<path class="band ${look}" d="${path([...upper, ...lower])}Z"/>`
      : undefined;
    const dots = points.length > 12 ? points.slice(-1) : points;
    return markup`${band}<path class="line ${look}" d="${path(points.map((p) => [p.x, p.y] as const))}"/>
${dots.map((p) => markup`<circle class="dot ${look}" cx="${at(x(p.x))}" cy="${at(y(p.y))}" r="2.6"/>`)}`;
  });
  const data = JSON.stringify(shown.map(({ name, points }) => ({
    name,
    points: points.map((p) => [Number(at(x(p.x))), p.x, text(p.y)]),
  })));
  const rows = axis.ticks.map((t) =>
    markup`<line class="grid" x1="${LEFT}" x2="${END}" y1="${at(y(t))}" y2="${at(y(t))}"/>
<text class="tick" x="${LEFT - 6}" y="${at(y(t) + 3.5)}" text-anchor="end">${decimal(t, axis.digits)}</text>
`
  );
  const marks = ticks.map((t) =>
    markup`<text class="tick" x="${at(x(t))}" y="${HEIGHT - BOTTOM + 14}" text-anchor="middle">${
      scale === "log" ? String(t) : decimal(t, 0)
    }</text>
`
  );
  const keys = shown.map(({ name, colour }) => markup`<span class="key c${colour % COLOURS}">${name}</span>`);
  const spoken = shown.map(({ name, points }) => `${name} ${text(points.at(-1)!.y)}`).join(", ");
  return markup`<figure class="chart">
<figcaption><b>${title}</b><output></output><small>${help}<span class="keys">${keys}</span></small></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}, at the end: ${spoken}"
 data-x="${xLabel}" data-series="${data}">
${rows}${marks}<text class="tick" x="${END}" y="${HEIGHT - 1}" text-anchor="end">${xLabel}</text>
${curves}<line class="cursor" y1="${TOP}" y2="${HEIGHT - BOTTOM}" visibility="hidden"/></svg></figure>
`;
}
