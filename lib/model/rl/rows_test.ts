import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError, ShapeError } from "@/lib/compute/tensor/errors.ts";
import { fromRows, toRows } from "@/tests/goldens/ppo/golden_case.ts";
import { checkEqualLengths, checkEqualRows, checkFinite, flatten } from "./rows.ts";

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
    "Lengths of rewards and values must be equal, got 3 (rewards), 4 (values)",
  );
});

Deno.test("checkEqualRows() names every row that differs", () => {
  assertThrows(
    () => checkEqualRows({ values: [[1], [1, 2], [1]], returns: [[1], [1], []] }),
    ShapeError,
    "Rows of values and returns must have equal lengths, got 2 and 1 in row 1, 1 and 0 in row 2",
  );
});

Deno.test("checkFinite() names every row with NaN or an infinity (statement 61)", () => {
  checkFinite({ rewards: [[1], []] });
  assertThrows(
    () => checkFinite({ rewards: [[1], [2, NaN, NaN]], kl: [[-Infinity], [0]] }),
    DataError,
    "All numbers in rewards, kl must be finite, got NaN in rewards of row 1 at token 1, -Infinity in kl of row 0 at token 0",
  );
});
