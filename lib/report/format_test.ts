import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { bytes, counted, decimal, displayName, duration, signed, significant } from "./format.ts";
import { metricDifference, metricInfo, metricText } from "./metric_catalogue.ts";
import { progressBar, sparkline } from "./sparkline.ts";

Deno.test("decimal() groups thousands, writes a true minus and a dash for a missing value", () => {
  assertEquals([
    decimal(12345.678, 1),
    decimal(-1.25, 2),
    decimal(-0.001, 2),
    decimal(NaN, 2),
    decimal(undefined, 0),
  ], [
    "12,345.7",
    "−1.25",
    "0.00",
    "–",
    "–",
  ]);
});

Deno.test("signed() shows both signs and none for zero", () => {
  assertEquals([signed(0.0951, 3), signed(-0.0951, 3), signed(0.0001, 3)], ["+0.095", "−0.095", "0.000"]);
});

Deno.test("significant() keeps three digits whatever the size", () => {
  assertEquals([0, 3.456, 34.56, 345.6, 12, 0.01234, 1e-9].map((x) => significant(x)), [
    "0",
    "3.46",
    "34.6",
    "346",
    "12",
    "0.0123",
    "1.00e−9",
  ]);
});

Deno.test("duration() changes units where a reader would", () => {
  assertEquals([0, 9.94, 9.96, 59.4, 59.6, 80, 3599.6, 7500, 200000].map(duration), [
    "0.0 s",
    "9.9 s",
    "10 s",
    "59 s",
    "1 min 00 s",
    "1 min 20 s",
    "1 h 00 min",
    "2 h 05 min",
    "2 d 8 h",
  ]);
  assertEquals(duration(undefined), "–");
});

Deno.test("bytes() and counted() read well", () => {
  assertEquals([bytes(512), bytes(1234567), bytes(7.1e9), bytes(4.1e8)], [
    "512 B",
    "1.2 MB",
    "7.1 GB",
    "410 MB",
  ]);
  assertEquals([counted(1, "stage"), counted(1200, "stage")], ["1 stage", "1,200 stages"]);
});

Deno.test("metricText() and metricDifference() follow the catalogue, and accept metrics that are not in it", () => {
  assertEquals(
    [metricText("eos_rate", 0.9451), metricText("score", 0.8114), metricText("my_metric", 12.345)],
    [
      "94.5 %",
      "0.811",
      "12.3",
    ],
  );
  assertEquals([metricDifference("eos_rate", 0.02), metricDifference("reward", -1.5)], [
    "+2.0 points",
    "−1.50",
  ]);
});

Deno.test("the help of distinct-2 says what the metric is: distinct pairs divided by all pairs, not pairs that occur once", () => {
  assertEquals(
    metricInfo("distinct_2").help,
    "Number of distinct word bigrams divided by the number of all word bigrams.",
  );
});

Deno.test("displayName() writes abbreviations of the field in capitals, whatever the separator", () => {
  assertEquals(["continued_sft", "members.sft", "srppo", "best_of_n"].map(displayName), [
    "continued SFT",
    "members SFT",
    "SRPPO",
    "best of n",
  ]);
});

Deno.test("sparkline() reaches from the lowest to the highest block, with dots for later steps", () => {
  assertEquals(sparkline([0, 1, 2, 3, 4, 5, 6, 7], { width: 8 }), "▁▂▃▄▅▆▇█");
  assertEquals(sparkline([0, 7], { width: 4, total: 4 }), "▁█··");
  assertEquals(sparkline([0, NaN, 7], { width: 3 }), "▁ █");
  assertEquals(sparkline([5, 5], { width: 2 }), "▁▁");
});

Deno.test("sparkline() is never wider than `width`", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double()),
      fc.integer({ min: 1, max: 100 }),
      fc.nat(300),
      (values, width, total) => {
        const text = sparkline(values, { width, total });
        return text.length <= width && /^[▁-█· ]*$/.test(text);
      },
    ),
    { seed: 1 },
  );
});

Deno.test("progressBar() fills in proportion and clamps", () => {
  assertEquals([progressBar(0.5, 4), progressBar(-1, 2), progressBar(2, 2)], ["━━──", "──", "━━"]);
});
