/** What tables say: means, paired differences, families of tests, costs; and the tables of runs that are done. @module */
import { assert, assertEquals } from "@std/assert";
import type { ResultRow } from "@/lib/data/contracts/results.ts";
import { costsOf, differencesTo, summaries } from "./analysis.ts";
import { EXAMPLE_EXPERIMENT, exampleExperiment } from "@/tests/experiments/example_experiment.ts";

function row(arm: string, seed: number, mean: number, more: Partial<ResultRow> = {}): ResultRow {
  const common = { experiment: "e", point: "{}", model: arm, mode: "greedy" as const, metric: "score" };
  return { ...common, arm, seed, mean, stderr: 0, n: 1, ...more };
}

Deno.test("summaries() are over seeds, per arm, point, mode and metric", () => {
  const rows = [
    row("a", 0, 1),
    row("a", 1, 3),
    row("a", 0, 5, { mode: "sampled" }),
    row("a", 0, 7, { point: '{"x":1}' }),
  ];
  assertEquals(summaries(rows).map(({ point, mode, mean, std, n }) => [point, mode, mean, std, n]), [
    ["{}", "greedy", 2, Math.SQRT2, 2],
    ["{}", "sampled", 5, 0, 1],
    ['{"x":1}', "greedy", 7, 0, 1],
  ]);
});

Deno.test("differences pair equal seeds at equal points, whatever order the rows have, and drop seeds that one lacks", () => {
  const rows = [
    row("b", 2, 9),
    row("b", 1, 6),
    row("a", 1, 2),
    row("a", 2, 1),
    row("a", 3, 100),
    row("b", 1, 50, { point: '{"x":1}' }),
  ];
  const [difference, ...others] = differencesTo(rows, ["a"]);
  assertEquals(others, []);
  assertEquals([difference!.arm, difference!.against, difference!.n, difference!.mean], ["b", "a", 2, 6]);
});

Deno.test("p values are raised within one control, mode and metric, and left alone for one comparison", () => {
  const rows = ["a", "b", "c"].flatMap((arm, k) =>
    [0, 1, 2].flatMap((seed) => [
      row(arm, seed, k + 0.3 * Math.sin(7 * seed + k)),
      row(arm, seed, k + 0.3 * Math.cos(5 * seed + k), { metric: "other" }),
    ])
  ).filter(({ arm, metric }) => metric === "score" || arm !== "c");
  for (const d of differencesTo(rows, ["a"])) {
    if (d.metric === "other") assertEquals(d.adjustedP, d.p);
    else assert(d.adjustedP! >= d.p!);
  }
  const [b, c] = differencesTo(rows, ["a"]).filter(({ metric }) => metric === "score");
  assertEquals(Math.min(b!.adjustedP!, c!.adjustedP!), 2 * Math.min(b!.p!, c!.p!));
});

Deno.test("costs are means over seeds by kind of stage", () => {
  const work = (seconds: number) => ({
    sft: { seconds, tokens: 10 * seconds },
    score: { seconds: 1, tokens: 0 },
  });
  const [cost] = costsOf([
    { arm: "a", point: "{}", seed: 0, work: work(2) },
    { arm: "a", point: "{}", seed: 1, work: work(4) },
  ]);
  assertEquals(cost, {
    arm: "a",
    point: "{}",
    n: 2,
    seconds: { mean: 4, std: Math.SQRT2, n: 2 },
    work: { sft: { seconds: 3, tokens: 30 }, score: { seconds: 1, tokens: 0 } },
  });
});

Deno.test("tables hold the cells whose runs are done; curves belong to the arm that a run is about", async () => {
  const { tables, runs } = await exampleExperiment(EXAMPLE_EXPERIMENT, ({ seed }) => seed !== 1);
  assertEquals(new Set(tables.results.map(({ seed }) => seed)), new Set([0, 2, 3]));
  assertEquals(new Set(tables.curves.map(({ arm }) => arm)), new Set(["srppo", "srppo_paper"]));
  assertEquals(tables.costs.length, runs.cells.filter(({ run }) => run.seed !== 1).length);
  const points = new Set(tables.results.map(({ point }) => point));
  assertEquals(
    points,
    new Set(['{"demonstrations":64}', '{"demonstrations":256}', '{"demonstrations":1024}']),
  );
});

Deno.test("the report names all runs and which are done, and takes its samples from one seed at the last point", async () => {
  const { report } = await exampleExperiment(EXAMPLE_EXPERIMENT, ({ seed }) => seed !== 0);
  assertEquals(report.runs.filter(({ done }) => !done).map(({ seed }) => seed), new Array(6).fill(0));
  assertEquals(report.seeds, [1, 2, 3]);
  assertEquals(report.samples_of, { seed: 1, point: { demonstrations: 1024 } });
  assertEquals(
    new Set(report.samples.map(({ arm }) => arm)),
    new Set(["sft", "continued_sft", "srppo_paper", "srppo"]),
  );
  assertEquals(report.runs[0]!.inputs, {});
});
