import { assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { checkFits } from "./fit_model.ts";

const MODEL = { contextLength: 4, vocabSize: 10 };
const SOURCE = { file: "rows.arrow", column: "input_ids" };

Deno.test("checkFits() accepts rows as long as the context and the largest id", () => {
  checkFits([{ id: "a", ids: Int32Array.of(0, 9, 9, 0) }, { id: "b", ids: [] }], MODEL, SOURCE);
  checkFits([{ id: "a", ids: [1, 2] }], MODEL, { ...SOURCE, newTokens: 2 });
});

Deno.test("checkFits() names every row that is too long or has an id outside the vocabulary", () => {
  const rows = [
    { id: "good", ids: [1] },
    { id: "long", ids: [1, 2, 3, 4, 5] },
    { id: "foreign", ids: [1, 10] },
    { id: "both", ids: [1, 2, 3, 11, 12] },
  ];
  const error = assertThrows(
    () => checkFits(rows, MODEL, SOURCE),
    DataError,
    "rows.arrow: a row must have at most 4 tokens (the model's context of 4) and ids below 10, got " +
      '"long" with 5 tokens; "foreign" with id 10; "both" with 5 tokens and id 11',
  );
  assertEquals(error.where, { file: "rows.arrow", column: "input_ids", row: 1 });
});

Deno.test("checkFits() reserves tokens for the response and counts the rows that it does not name", () => {
  const rows = Array.from({ length: 7 }, (_, i) => ({ id: `p${i}`, ids: [1, 2, 3] }));
  assertThrows(
    () => checkFits(rows, MODEL, { ...SOURCE, newTokens: 2 }),
    DataError,
    "rows.arrow: a row must have at most 2 tokens (the model's context of 4 minus 2 new ones) and ids below 10, got " +
      '"p0" with 3 tokens; "p1" with 3 tokens; "p2" with 3 tokens; "p3" with 3 tokens; "p4" with 3 tokens; and 2 more',
  );
});
