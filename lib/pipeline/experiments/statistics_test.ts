/** Means and paired differences over seeds, against worked numbers. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { spreadOf } from "@/lib/report/spread.ts";
import { bootstrapInterval, holm, pairedDifference } from "./statistics.ts";

/** Hours of extra sleep under two drugs, ten patients: the data of Student (1908), R's `sleep`. */
const FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2];
const SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

function rounded(values: readonly number[], digits: number): number[] {
  return values.map((value) => Number(value.toFixed(digits)));
}

Deno.test("pairedDifference() gives what R's t.test(extra ~ group, paired = TRUE) prints for Student's data", () => {
  const { mean, std, n, above, interval, p } = pairedDifference(FIRST, SECOND);
  assertEquals([...rounded([mean], 2), n, above], [-1.58, 10, 0]);
  assertEquals(rounded(interval!, 7), [-2.4598858, -0.7001142]);
  assertEquals(rounded([p!], 6), [0.002833]);
  assertEquals(rounded([mean / (std / Math.sqrt(n))], 4), [-4.0621]);
});

Deno.test("one pair has no interval, and neither have equal differences: none has width zero", () => {
  assertEquals(pairedDifference([2], [1]), {
    mean: 1,
    std: 0,
    n: 1,
    above: 1,
    interval: null,
    bootstrap: null,
    p: null,
  });
  const same = pairedDifference([2, 3, 4], [1, 2, 3]);
  assertEquals([same.interval, same.bootstrap, same.p], [null, null, 0.25]);
  assertEquals(pairedDifference([1, 2], [1, 2]).p, 1);
});

Deno.test("pairing takes out what both arms share, and changes sign with the order", () => {
  const value = fc.double({ min: -1, max: 1, noNaN: true });
  const rows = fc.array(fc.tuple(value, value, fc.double({ min: -50, max: 50, noNaN: true })), {
    minLength: 2,
    maxLength: 8,
  });
  fc.assert(
    fc.property(rows, (rows) => {
      const a = rows.map(([x]) => x), b = rows.map(([, y]) => y), shared = rows.map(([, , z]) => z);
      const plain = pairedDifference(a, b);
      const moved = pairedDifference(a.map((x, k) => x + shared[k]!), b.map((y, k) => y + shared[k]!));
      assert(Math.abs(plain.mean - moved.mean) < 1e-12 && Math.abs(plain.std - moved.std) < 1e-12);
      const swapped = pairedDifference(b, a);
      assertEquals([swapped.mean, swapped.p], [-plain.mean + 0, plain.p]);
    }),
    { numRuns: 40 },
  );
});

Deno.test("the bootstrap's interval comes near that of the normal distribution for many values", () => {
  const values = Array.from({ length: 400 }, (_, k) => Math.sin(12.9898 * k) * 3);
  const { mean, std, n } = spreadOf(values);
  const [low, high] = bootstrapInterval(values);
  const half = 1.96 * std / Math.sqrt(n);
  assert(Math.abs(low - (mean - half)) < 0.08 * half && Math.abs(high - (mean + half)) < 0.08 * half);
  assertEquals(bootstrapInterval(values), [low, high]);
});

Deno.test("holm() adjusts p values as R does", () => {
  // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
  assertEquals(rounded(holm([0.01, 0.04, 0.03, 0.005]), 12), [0.03, 0.06, 0.06, 0.02]);
  assertEquals(holm([0.6, 0.7]), [1, 1]);
  assertEquals(holm([]), []);
});

Deno.test("nothing to average and unequal pairs are refused", () => {
  assertThrows(() => spreadOf([]), RangeError, "A mean requires at least one value, got 0");
  assertThrows(
    () => pairedDifference([1], [1, 2]),
    RangeError,
    "Pairs require as many values on both sides, got 1 and 2",
  );
});
