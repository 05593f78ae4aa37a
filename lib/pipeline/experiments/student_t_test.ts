/**
 * Student's t against values that we did not compute: mpmath 1.3 with 40 digits (betainc, loggamma), closed forms for one
 * and two degrees of freedom, and the table of the NIST/SEMATECH e-Handbook §1.3.6.7.2.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { logGamma, regularisedBeta, studentQuantile, upperTail } from "./student_t.ts";

function near(actual: number, expected: number, tolerance: number): void {
  const error = Math.abs(actual - expected) / Math.max(Math.abs(expected), 1e-300);
  assert(error <= tolerance, `${actual} is not ${expected}: relative error ${error}`);
}

/** P(T ≤ t). */
function studentCdf(t: number, df: number): number {
  return t < 0 ? upperTail(t, df) : 1 - upperTail(t, df);
}

const LEVELS = [0.6, 0.9, 0.975, 0.995, 0.9995] as const;
/** mpmath: degrees of freedom, quantiles at `LEVELS`. */
const QUANTILES: readonly (readonly [df: number, values: readonly number[]])[] = [
  [1, [0.32491969623290633, 3.0776835371752534, 12.706204736174705, 63.656741162871581, 636.61924876871962]],
  [2, [0.28867513459481288, 1.8856180831641267, 4.3026527297494639, 9.9248432009182931, 31.599054576443621]],
  [3, [0.27667066233268991, 1.6377443536962101, 3.1824463052837096, 5.8409093097333573, 12.923978636687483]],
  [4, [0.27072229470759742, 1.5332062740589439, 2.7764451051977944, 4.6040948713499932, 8.6103015813792751]],
  [5, [0.26718086570414513, 1.4758840488244811, 2.5705818356363155, 4.0321429835552281, 6.8688266258811102]],
  [7, [0.26316686135202281, 1.4149239276505085, 2.3646242515927853, 3.4994832973504939, 5.4078825208617252]],
  [11, [0.25955586047627055, 1.3634303180205406, 2.2009851600916399, 3.105806515539281, 4.4369793382344497]],
  [30, [0.25560536495191277, 1.3104150253913956, 2.0422724563012383, 2.7499956535672253, 3.6459586350420218]],
  [1000, [
    0.25341451583949876,
    1.2823987214609244,
    1.9623390808264085,
    2.5807546980659511,
    3.3002826484239129,
  ]],
  [2.5, [
    0.28145951274854766,
    1.7302509288071766,
    3.5746548420036832,
    7.1637281389487855,
    18.277893528130648,
  ]],
];

Deno.test("studentQuantile() equals mpmath's quantiles", () => {
  for (const [df, values] of QUANTILES) {
    LEVELS.forEach((p, k) => near(studentQuantile(p, df), values[k]!, 1e-11));
  }
});

Deno.test("studentQuantile() gives the printed table of NIST: t at 97.5 % for 1 to 10 degrees of freedom", () => {
  const table = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
  assertEquals(table.map((_, k) => Number(studentQuantile(0.975, k + 1).toFixed(3))), table);
});

Deno.test("one and two degrees of freedom follow their closed forms", () => {
  for (const p of [0.5001, 0.55, 0.8, 0.97, 0.99999]) {
    near(studentQuantile(p, 1), Math.tan(Math.PI * (p - 0.5)), 1e-10);
    const a = 4 * p * (1 - p);
    near(studentQuantile(p, 2), 2 * (p - 0.5) * Math.sqrt(2 / a), 1e-11);
  }
});

Deno.test("upperTail() equals mpmath's, far tails included", () => {
  const cases: readonly (readonly [t: number, df: number, p: number])[] = [
    [0.5, 1, 0.64758361765043327],
    [1.3, 3, 0.85776624563605131],
    [2, 7, 0.95719033571851196],
    [-1.7, 11, 0.058598209323438638],
    [4.5, 5, 0.99680023182683785],
    [12, 2.5, 0.99858189248496084],
    [-8, 30, 3.1329112378503795e-9],
  ];
  for (const [t, df, p] of cases) near(studentCdf(t, df), p, 1e-13);
});

Deno.test("logGamma() and regularisedBeta() equal mpmath's", () => {
  near(logGamma(0.5), 0.57236494292470009, 1e-14);
  near(logGamma(1.5), -0.12078223763524522, 1e-13);
  near(logGamma(10.5), 13.940625219403764, 1e-14);
  near(logGamma(501), 2611.3304584601561, 1e-14);
  near(regularisedBeta(0.3, 0.5, 0.5), 0.36901011956554538, 1e-14);
  near(regularisedBeta(0.9, 2.5, 0.5), 0.4895897445644275, 1e-14);
  near(regularisedBeta(0.01, 10, 0.5), 1.7700349655285739e-21, 1e-12);
  near(regularisedBeta(0.99, 60, 0.5), 0.27311594048106862, 1e-12);
});

Deno.test("quantile and distribution function undo one another, and are odd around the middle", () => {
  const p = fc.double({ min: 1e-9, max: 0.5, noNaN: true });
  fc.assert(fc.property(p, fc.integer({ min: 1, max: 200 }), (p, df) => {
    const t = studentQuantile(p, df);
    near(studentCdf(t, df), p, 1e-7);
    assertEquals(studentQuantile(1 - p, df), -t + 0); // no −0
    near(studentCdf(-t, df) + studentCdf(t, df), 1, 1e-12);
  }));
});

Deno.test("a quantile of no probability is refused", () => {
  assertThrows(
    () => studentQuantile(1, 3),
    RangeError,
    "A quantile of Student's t requires 0 < p < 1 and df > 0, got p 1 and df 3",
  );
});
