import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError, ShapeError } from "@/lib/tensor/errors.ts";
import { checkEqualLengths, checkEqualRows, checkFinite, flatten, fromRows, toRows } from "./rows.ts";

Deno.test("fromRows() undoes toRows() where the mask counts, and writes 0 elsewhere", () => {
  const masked = fc.array(fc.array(fc.tuple(fc.double({ noNaN: true }), fc.boolean()), { maxLength: 9 }), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(masked, (pairs) => {
      const array = pairs.map((row) => row.map(([x]) => x)),
        mask = pairs.map((row) => row.map(([, m]) => Number(m)));
      const expected = pairs.map((row) => row.map(([x, m]) => m ? x : 0));
      assertEquals(fromRows(toRows(array, mask), mask).map((row) => [...row]), expected);
    }),
    { seed: 1 },
  );
});

Deno.test("flatten() lays rows end to end", () => {
  assertEquals([...flatten([[1, 2], [], [3]])], [1, 2, 3]);
});

Deno.test("checkEqualLengths() names every array with its length", () => {
  checkEqualLengths({ rewards: [1], values: [2] });
  assertThrows(
    () => checkEqualLengths({ rewards: [1, 2, 3], values: [1, 2, 3, 4] }),
    ShapeError,
    "Cannot pair rewards and values as their lengths must be equal: rewards has 3, values has 4",
  );
});

Deno.test("checkEqualRows() names every row that differs", () => {
  assertThrows(
    () => checkEqualRows({ values: [[1], [1, 2], [1]], returns: [[1], [1], []] }),
    ShapeError,
    "Cannot pair rows of values and returns as their lengths must be equal: row 1 has 2 and 1, row 2 has 1 and 0",
  );
});

Deno.test("checkFinite() names every row that holds NaN or an infinity (statement 61)", () => {
  checkFinite({ rewards: [[1], []] });
  assertThrows(
    () => checkFinite({ rewards: [[1], [2, NaN, NaN]], kl: [[-Infinity], [0]] }),
    DataError,
    "Cannot use rewards, kl as all numbers must be finite: rewards of row 1 is NaN at token 1, kl of row 0 is -Infinity at token 0",
  );
});
