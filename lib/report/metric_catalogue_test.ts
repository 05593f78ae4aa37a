/** Tests how values with their uncertainty are shown: nothing looks certain that is not. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { intervalPlot } from "./interval_plot.ts";
import { betterArrow, metricInterval, metricSpread } from "./metric_catalogue.ts";

Deno.test("a deviation that is not known is not shown, and a small one is not rounded to zero", () => {
  assertEquals(metricSpread("score", 0, 0), "0.000");
  assertEquals(metricSpread("score", 0.5, NaN), "0.500");
  assertEquals(metricSpread("score", 0.5, 0.00001), "0.500 ± <0.001");
  assertEquals(metricSpread("eos_rate", 1, 0.00001), "100.0 % ± <0.1");
  assertEquals(metricSpread("eos_rate", 0.981, 0.009), "98.1 % ± 0.9");
});

Deno.test("the ends of an interval never look equal", () => {
  assertEquals(metricInterval("score", [0.012, 0.208]), "+0.012 to +0.208");
  assertEquals(metricInterval("score", [0.50001, 0.50004]), "+0.500010 to +0.500040");
  assertEquals(metricInterval("eos_rate", [-0.00001, 0.00001]), "−0.0010 points to +0.0010 points");
  fc.assert(
    fc.property(
      fc.constantFrom("score", "eos_rate", "reward", "own_metric"),
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.double({ min: 1e-9, max: 1, noNaN: true }),
      (metric, low, width) => {
        const [a, b] = metricInterval(metric, [low, low + width]).split(" to ");
        assertEquals(a === b, false);
      },
    ),
    { seed: 8 },
  );
});

Deno.test("the plot has no bar for a difference without an interval", () => {
  const rows = (interval: readonly [number, number] | null) =>
    intervalPlot("c", "score", [{
      name: "n",
      mean: 1,
      interval,
      note: "the same on all 9 prompts",
      verdict: "better",
    }])!.markup;
  assertEquals(rows([0.5, 1.5]).includes("<i "), true);
  const without = rows(null);
  assertEquals([without.includes("<i "), without.includes('title="the same on all 9 prompts"')], [
    false,
    true,
  ]);
  assertEquals(without.includes('class="interval better"'), true);
});

Deno.test("the trained reward has no better direction, the audit reward has", () => {
  assertEquals([betterArrow("reward"), betterArrow("audit_reward")], ["", " ↑"]);
});
