/** What people see of an experiment: the page, and the text on the terminal. @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { verdictOf } from "@/lib/report/headline.ts";
import { lineChart } from "@/lib/report/line_chart.ts";
import { intervalText, pText } from "./differences_section.ts";
import { EXAMPLE_EXPERIMENT, exampleExperiment } from "@/tests/experiments/example_experiment.ts";
import { experimentPage } from "./experiment_page.ts";
import { experimentSummary } from "./terminal_table.ts";

const FLAT = `
description: Against its controls
seeds: 3
manifest: main.yaml
control: continued_sft
arms: { base: { model: base }, sft: { label: SFT, model: sft }, continued_sft: { model: continued_sft }, srppo: {} }
`;

/** Rows of the table under a heading, tags and spaces taken out of the cells. */
function tableUnder(page: string, heading: string): string[][] {
  const begin = page.lastIndexOf("<table", page.indexOf(`<th>${heading}</th>`));
  const table = page.slice(begin).split("</table>")[0]!;
  return [...table.matchAll(/<tr>([\s\S]*?)<\/tr>/g)].map(([, line]) =>
    [...line!.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell]) =>
      cell!.replaceAll(/<[^>]+>/g, "").replaceAll(/\s+/g, " ").trim()
    )
  );
}

Deno.test("the page is one file that loads nothing and lets only its own script run", async () => {
  const { report, tables } = await exampleExperiment();
  const page = await experimentPage(report, tables.curves);
  assert(page.trimStart().startsWith("<!doctype html>"));
  assertEquals(/\b(?:src|href|srcset|action)\s*=|@import|url\(/i.exec(page), null);
  assertEquals(page.match(/<script/g)!.length, 1);
});

Deno.test("whatever comes from an experiment is escaped", async () => {
  const evil = `<img src=x onerror='y'>`;
  const { report, tables } = await exampleExperiment();
  const page = await experimentPage(
    {
      ...report,
      description: evil,
      experiment: evil,
      arms: report.arms.map((arm) => ({ ...arm, label: evil, manifest: evil })),
      samples: report.samples.map((sample) => ({ ...sample, response: evil, prompt: evil })),
      runs: report.runs.map((run) => ({
        ...run,
        name: evil,
        settings: [evil],
        inputs: { x: evil },
        done: false,
      })),
    },
    tables.curves,
  );
  assertEquals(page.includes("<img"), false);
  assertStringIncludes(page, "&lt;img src=x onerror=&#39;y&#39;&gt;");
});

Deno.test("without a grid, the table has arms by metrics with deviations over seeds, the best marked", async () => {
  const { report, tables } = await exampleExperiment(FLAT);
  const page = await experimentPage(report, tables.curves);
  const table = tableUnder(page, "Greedy decoding");
  assertEquals(table[0]!.slice(0, 3), ["Greedy decoding", "score ↑", "both words ↑"]);
  assertEquals(table.slice(1).map(([arm]) => arm), ["base", "SFT", "continued SFT", "SRPPO"]);
  const srppo = report.results.find((r) => r.arm === "srppo" && r.mode === "greedy" && r.metric === "score")!;
  assertEquals(table[4]![1], `${srppo.mean.toFixed(3)} ± ${srppo.std.toFixed(3)}`);
  assertStringIncludes(page, '<td class="best" title="3 seeds"><b>0.8');
});

Deno.test("over a grid, there are charts in doublings, a table by point, and every metric at every point", async () => {
  const { report, tables } = await exampleExperiment();
  const page = await experimentPage(report, tables.curves);
  assertEquals(tableUnder(page, "Score, greedy decoding")[0]!.slice(1), [
    "demonstrations 64",
    "demonstrations 256",
    "demonstrations 1024",
  ]);
  for (const size of [64, 256, 1024]) {
    assertStringIncludes(page, `<summary>All metrics at demonstrations ${size}</summary>`);
    assertStringIncludes(page, `<summary>At demonstrations ${size}</summary>`);
  }
  assertStringIncludes(page, `data-x="demonstrations"`);
});

Deno.test("differences to both controls are plotted and listed; the untrained base only listed", async () => {
  const { report, tables } = await exampleExperiment(FLAT);
  const page = await experimentPage(report, tables.curves);
  const [, ...plots] = page.split(`<figure class="intervals">`);
  assertEquals(plots.length, 2);
  assertEquals(plots.map((plot) => plot.split("</figure>")[0]!.includes("<span>base</span>")), [
    false,
    false,
  ]);
  const rows = tableUnder(page, "Arm");
  assert(rows.some(([arm, metric]) => arm === "base" && metric === "score, greedy"));
  const own = report.differences.find((d) =>
    d.arm === "srppo" && d.metric === "score" && d.mode === "greedy"
  )!;
  const line = rows.find(([arm, metric]) => arm === "SRPPO" && metric === "score, greedy")!;
  assertEquals(line.slice(4), [
    intervalText("score", own.interval),
    intervalText("score", own.bootstrap),
    pText(own.p),
    pText(own.adjusted_p),
    "3/3",
  ]);
});

Deno.test("a verdict follows from the interval and from which direction is better", () => {
  assertEquals(verdictOf("score", [0.01, 0.2]), "better");
  assertEquals(verdictOf("score", [-0.2, -0.01]), "worse");
  assertEquals(verdictOf("base_nll", [0.01, 0.2]), "worse");
  assertEquals(verdictOf("base_nll", [-0.2, -0.01]), "better");
  assertEquals(verdictOf("score", [-0.1, 0.2]), "level");
  assertEquals(verdictOf("response_length", [1, 2]), "level");
  assertEquals(verdictOf("score", null), "level");
});

Deno.test("an experiment of which nothing is done has a page that says so", async () => {
  const { report, tables } = await exampleExperiment(EXAMPLE_EXPERIMENT, () => false);
  const page = await experimentPage(report, tables.curves);
  assertStringIncludes(page, "0 of 18 runs done.");
  assertEquals(page.includes("<h2>Results</h2>"), false);
  assertEquals(experimentSummary(report), "example: 4 arms, 0 seeds, 18 runs of 18 not done");
});

Deno.test("the text on the terminal has the leading metric and its differences, without colours by default", async () => {
  const { report } = await exampleExperiment(FLAT);
  const text = experimentSummary(report);
  const d = report.differences.find((d) => d.arm === "srppo" && d.metric === "score" && d.mode === "greedy")!;
  assertStringIncludes(text, intervalText("score", d.interval));
  assertEquals(text.includes("\x1b"), false);
  assertStringIncludes(experimentSummary(report, { colours: true }), "\x1b[32m+");
  assertEquals(text.split("\n")[0], "example: 4 arms, 3 seeds");
});

Deno.test("lineChart() draws a curve and a band for each series, and stays within its frame", () => {
  const points = [1, 2, 4].map((x) => ({ x: 64 * x, y: 1 / x, std: 0.1 }));
  const series = [{ name: "a", look: "c0", points }, { name: "b", look: "c1", points: points.slice(0, 1) }];
  const chart = lineChart({ metric: "score", xLabel: "x", scale: "log", series })!.markup;
  assertEquals(chart.match(/class="band c0"/g)!.length, 1);
  assertEquals(chart.match(/class="line c1"/g)!.length, 1);
  const numbers = [...chart.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
  assert(numbers.every(([x, y]) => x! >= 40 && x! <= 330 && y! >= 8 && y! <= 144));
  const xs = [...chart.matchAll(/<circle class="dot c0" cx="([\d.]+)"/g)].map(([, x]) => Number(x));
  assertEquals(xs, [40, 185, 330]);
  assertEquals(lineChart({ metric: "score", xLabel: "x", series: [] }), undefined);
});
