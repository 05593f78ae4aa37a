/** The rule between fields of rows and columns of files. @module */
import { assertEquals } from "@std/assert";
import { columnsOf, rowsOf } from "./named_rows.ts";

const SCHEMA = { id: "utf8", prompt_ids: "list<i32>", logprobs_t1: "list<f32>?", base_nll: "f64?" } as const;

Deno.test("a field is its column's name in camel case, in both directions, null included", () => {
  const rows = [
    { id: "a", promptIds: Int32Array.of(1, 2), logprobsT1: null, baseNll: 0.5 },
    { id: "b", promptIds: Int32Array.of(3), logprobsT1: Float32Array.of(-1), baseNll: null },
  ];
  const columns = columnsOf(SCHEMA, rows);
  assertEquals(columns, {
    id: ["a", "b"],
    prompt_ids: [Int32Array.of(1, 2), Int32Array.of(3)],
    logprobs_t1: [null, Float32Array.of(-1)],
    base_nll: [0.5, null],
  });
  assertEquals(rowsOf(SCHEMA, columns, 2), rows);
});

Deno.test("columns of numbers may be typed arrays, and a table may have no rows", () => {
  assertEquals(rowsOf({ step: "i64", value: "f64" }, { step: [7], value: Float64Array.of(0.25) }, 1), [
    { step: 7, value: 0.25 },
  ]);
  assertEquals(rowsOf({ step: "i64" }, { step: [] }, 0), []);
  assertEquals(columnsOf({ step: "i64" }, []), { step: [] });
});
