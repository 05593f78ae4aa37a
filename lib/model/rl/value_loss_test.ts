import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { f64 } from "@/lib/compute/tensor/tensor.ts";
import { evaluateVjp } from "@/tests/support/evaluate.ts";
import { valueLossPerToken } from "./value_loss.ts";
import { valueStatistics } from "./value_statistics.ts";

function lossAndGradient(
  inputs: { values: number[]; oldValues: number[]; returns: number[] },
  clipRange: number | null,
): [number[], number[]] {
  const { outputs, cotangents } = evaluateVjp(
    (values, oldValues, returns) =>
      valueLossPerToken({ values: values!, oldValues: oldValues!, returns: returns! }, { clipRange }),
    [inputs.values, inputs.oldValues, inputs.returns].map((row) => f64([row.length], row)),
    { wrt: [0] },
  );
  return [Array.from(outputs[0]!.data, Number), Array.from(cotangents[0]!.data, Number)];
}

Deno.test("valueLossPerToken() takes the larger error, and has no gradient where that is the clipped one (statement 9)", () => {
  const inputs = { values: [0.1, 1, 1, -1], oldValues: [0, 0, 0, 0], returns: [2, 2, -2, 2] };
  const [loss, gradient] = lossAndGradient(inputs, 0.5);
  // inside: V − R. Left upwards towards R: clipped error (0.5 − 2)² is the larger. Left away from R: plain error (1 + 2)², (−1 − 2)²
  const expected = [0.5 * 1.9 ** 2, 0.5 * 1.5 ** 2, 0.5 * 9, 0.5 * 9];
  loss.forEach((x, i) => assertAlmostEquals(x, expected[i]!, 1e-12));
  [-1.9, 0, 3, -3].forEach((g, i) => assertAlmostEquals(gradient[i]!, g, 1e-12));
  const found = valueStatistics(inputs, { clipRange: 0.5 });
  assertAlmostEquals(found.loss, expected.reduce((a, b) => a + b) / 4, 1e-12);
  assertEquals(found.clipFraction, 1 / 4);
});

Deno.test("valueLossPerToken() without a clip is half the squared error and does not depend on the old values", () => {
  const [loss, gradient] = lossAndGradient(
    { values: [1, -1], oldValues: [NaN, 1e9], returns: [3, -1] },
    null,
  );
  assertEquals(loss, [2, 0]);
  assertEquals(gradient, [-2, 0]);
});

Deno.test("valueLossPerToken() at the old value has the gradient V − R: the tie goes to the plain branch", () => {
  assertEquals(lossAndGradient({ values: [1], oldValues: [1], returns: [4] }, 0.2), [[4.5], [-3]]);
});

Deno.test("valueLossPerToken() refuses a range that is not positive", () => {
  assertThrows(
    () => lossAndGradient({ values: [1], oldValues: [1], returns: [4] }, 0),
    RangeError,
    "The clip range of the value must be positive or null, got 0",
  );
});
