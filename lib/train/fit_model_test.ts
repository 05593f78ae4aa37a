import { assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/tensor/errors.ts";
import { checkFits } from "./fit_model.ts";

const MODEL = { contextLength: 4, vocabSize: 10 };
const READING = { action: "train on", file: "rows.arrow", column: "input_ids" };

Deno.test("checkFits() takes rows as long as the context and the largest id", () => {
  checkFits([{ id: "a", ids: Int32Array.of(0, 9, 9, 0) }, { id: "b", ids: [] }], MODEL, READING);
  checkFits([{ id: "a", ids: [1, 2] }], MODEL, { ...READING, newTokens: 2 });
});

Deno.test("checkFits() names every row that is too long or holds an id that the model lacks", () => {
  const rows = [
    { id: "good", ids: [1] },
    { id: "long", ids: [1, 2, 3, 4, 5] },
    { id: "foreign", ids: [1, 10] },
    { id: "both", ids: [1, 2, 3, 11, 12] },
  ];
  const error = assertThrows(
    () => checkFits(rows, MODEL, READING),
    DataError,
    "Cannot train on rows.arrow as a row must fit the model's context of 4 tokens and its 10 ids: " +
      '"long" has 5 tokens; "foreign" has id 10; "both" has 5 tokens and id 11',
  );
  assertEquals(error.where, { file: "rows.arrow", column: "input_ids", row: 1 });
});

Deno.test("checkFits() leaves room for new tokens and counts what it does not spell out", () => {
  const rows = Array.from({ length: 7 }, (_, i) => ({ id: `p${i}`, ids: [1, 2, 3] }));
  assertThrows(
    () => checkFits(rows, MODEL, { ...READING, action: "answer", newTokens: 2 }),
    DataError,
    "Cannot answer rows.arrow as a row must fit the model's context of 4 tokens less 2 new ones and its 10 ids: " +
      '"p0" has 3 tokens; "p1" has 3 tokens; "p2" has 3 tokens; "p3" has 3 tokens; "p4" has 3 tokens; and 2 more',
  );
});
