import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { join } from "node:path";
import { ColumnError, DataError } from "@/lib/compute/tensor/errors.ts";
import type { Columns } from "./column_schema.ts";
import { decodeArrow, decodeArrowMetadata } from "./decode_arrow.ts";
import { BATCH_ROWS, encodeArrow } from "./encode_arrow.ts";

const CORRUPT = join(import.meta.dirname!, "../../../fixtures/goldens/corrupt");

const ALL = {
  text: "utf8",
  small: "i32",
  large: "i64",
  real: "f64",
  ids: "list<i32>",
  values: "list<f32>",
  mask: "list<u8>",
  text_or_null: "utf8?",
  small_or_null: "i32?",
  large_or_null: "i64?",
  real_or_null: "f64?",
  ids_or_null: "list<i32>?",
  values_or_null: "list<f32>?",
} as const;

const text = fc.string({ unit: "binary" });
const row = fc.record({
  text,
  small: fc.integer(),
  large: fc.maxSafeInteger(),
  real: fc.double(),
  ids: fc.array(fc.integer(), { maxLength: 5 }).map((list) => Int32Array.from(list)),
  values: fc.float32Array({ maxLength: 5 }),
  mask: fc.uint8Array({ maxLength: 5 }),
  text_or_null: fc.option(text),
  small_or_null: fc.option(fc.integer()),
  large_or_null: fc.option(fc.maxSafeInteger()),
  real_or_null: fc.option(fc.double()),
  ids_or_null: fc.option(fc.int32Array({ maxLength: 5 }).map((list) => Int32Array.from(list))),
  values_or_null: fc.option(fc.float32Array({ maxLength: 5 })),
});
type Row = (typeof row) extends fc.Arbitrary<infer R> ? R : never;

function columnsOf(rows: readonly Row[]): Columns<typeof ALL> {
  const names = Object.keys(ALL) as (keyof typeof ALL)[];
  return Object.fromEntries(names.map((name) => [name, rows.map((r) => r[name])])) as unknown as Columns<
    typeof ALL
  >;
}

Deno.test("decodeArrow() gives back what encodeArrow() was given", () => {
  const property = fc.property(
    fc.array(row, { maxLength: 12 }),
    fc.array(fc.tuple(text, text)),
    (rows, entries) => {
      const metadata = new Map(entries);
      const columns = columnsOf(rows);
      const bytes = encodeArrow(ALL, columns, metadata);
      const table = decodeArrow(bytes, ALL, "file");
      assertEquals(table.rows, rows.length);
      assertEquals(table.metadata, metadata);
      assertEquals(table.columns, columns);
    },
  );
  fc.assert(property, { seed: 1, numRuns: 200 });
});

Deno.test("files of several batches are read whole, and equal columns give equal bytes", () => {
  const rows = 2 * BATCH_ROWS + 7;
  const schema = { n: "i32", ids: "list<i32>", text: "utf8", maybe: "f64?" } as const;
  const numbers = Array.from({ length: rows }, (_, i) => i);
  const columns = {
    n: Int32Array.from(numbers),
    ids: numbers.map((n) => new Int32Array(n % 7).fill(n)),
    text: numbers.map((n) => "é".repeat(n % 3)),
    maybe: numbers.map((n) => n < BATCH_ROWS ? n / 3 : null),
  };
  const bytes = encodeArrow(schema, columns);
  const table = decodeArrow(bytes, schema, "file");
  assertEquals(table.rows, rows);
  assertEquals(table.columns, { ...columns, n: numbers });
  // Views of one large buffer, as rows of a decoded file are, give the same bytes as arrays of their own.
  assertEquals(encodeArrow(schema, table.columns), bytes);
});

Deno.test("a table without rows, and one column of many, can be read", () => {
  const empty = encodeArrow({ a: "i32", b: "list<f32>" }, { a: [], b: [] });
  assertEquals(decodeArrow(empty, { b: "list<f32>" }, "file"), {
    rows: 0,
    columns: { b: [] },
    metadata: new Map(),
  });
  assertEquals(decodeArrowMetadata(encodeArrow({}, {}, new Map([["k", "v"]])), "file").get("k"), "v");
});

// pyarrow wrote this file.
Deno.test("decodeArrow() reads what another implementation wrote", () => {
  const name = "ok_rows.arrow";
  const { rows, columns } = decodeArrow(
    Deno.readFileSync(join(CORRUPT, name)),
    { prompt: "utf8", response: "utf8" },
    name,
  );
  assertEquals(rows, 20);
  assertEquals(columns.prompt[0], "prompt number 0");
  assertEquals(columns.response[19], "answer 19, as asked");
});

const REFUSED: Readonly<Record<string, string>> = {
  "arrow_bad_magic.arrow": "%: invalid Arrow file: it does not begin with ARROW1",
  "arrow_empty.arrow": "%: invalid Arrow file: it is empty",
  "arrow_truncated.arrow":
    "%: invalid Arrow file: it does not end with ARROW1, so it is incomplete or still being written",
  "arrow_no_footer.arrow":
    "%: invalid Arrow file: it does not end with ARROW1, so it is incomplete or still being written",
  "arrow_stream_truncated.arrows": "%: invalid Arrow file: it does not begin with ARROW1",
  "arrow_invalid_utf8.arrow": '%: column "prompt", row 3: not UTF-8',
  "arrow_missing_column.arrow": '%: column "response" must be utf8, got no such column',
  "arrow_wrong_column_type.arrow": '%: column "response" must be utf8, got i32',
  "arrow_null_response.arrow": '%: column "response", row 6: must be utf8, got null',
  "arrow_string_offset_negative.arrow":
    '%: column "prompt", row 3: offsets must increase from 0 to at most 310, but -9 follows 45',
  "arrow_string_offset_out_of_range.arrow":
    '%: column "prompt", row 19: offsets must increase from 0 to at most 310, but 100000 follows 294',
  "arrow_dictionary_index_out_of_range.arrow":
    '%: column "response" must be utf8, got Dictionary<Int32, Utf8>',
};

for (const [name, message] of Object.entries(REFUSED)) {
  Deno.test(`decodeArrow() refuses ${name}`, () => {
    const bytes = Deno.readFileSync(join(CORRUPT, name));
    const error = assertThrows(
      () => decodeArrow(bytes, { prompt: "utf8", response: "utf8" }, name),
      DataError,
    );
    assertEquals(error.message, message.replace("%", name));
    assertEquals(error.where.file, name);
  });
}

for (const name of ["arrow_list_offset_decreasing.arrow", "arrow_list_offset_out_of_range.arrow"]) {
  Deno.test(`decodeArrow() refuses the type of ${name} before it looks at values`, () => {
    const bytes = Deno.readFileSync(join(CORRUPT, name));
    const error = assertThrows(() => decodeArrow(bytes, { messages: "list<i32>" }, name), ColumnError);
    assertEquals(
      error.message.includes('column "messages" must be list<i32>, got list<'),
      true,
      error.message,
    );
  });
}

/** A file of one list column, with one of its offsets overwritten. */
function withOffset(index: number, value: number): Uint8Array<ArrayBuffer> {
  const lists = [[11, 12, 13], [14], [15, 16]].map((list) => Int32Array.from(list));
  const bytes = encodeArrow({ ids: "list<i32>" }, { ids: lists });
  const view = new DataView(bytes.buffer);
  const offsets = [0, 3, 4, 6];
  const matches = (at: number) => offsets.every((offset, i) => view.getInt32(at + 4 * i, true) === offset);
  const at = Array.from({ length: bytes.length / 4 - 4 }, (_, i) => 4 * i).filter(matches);
  assertEquals(at.length, 1);
  view.setInt32(at[0]! + 4 * index, value, true);
  return bytes;
}

Deno.test("decodeArrow() refuses list offsets that leave the buffer or go down", () => {
  const cases: [number, number, string][] = [
    [3, 7, 'f: column "ids", row 2: offsets must increase from 0 to at most 6, but 7 follows 4'],
    [
      2,
      2,
      'f: column "ids", row 1: offsets must increase from 0 to at most 6, but 2 follows 3',
    ],
    [0, -1, 'f: column "ids", row 0: offsets must increase from 0 to at most 6, but -1 follows 0'],
  ];
  for (const [index, value, message] of cases) {
    const bytes = withOffset(index, value);
    assertEquals(
      assertThrows(() => decodeArrow(bytes, { ids: "list<i32>" }, "f"), ColumnError).message,
      message,
    );
  }
});

Deno.test("a file with any one byte changed, or cut anywhere, is refused or read without harm", () => {
  const rows = fc.sample(row, { seed: 3, numRuns: 4 });
  const valid = encodeArrow(ALL, columnsOf(rows), new Map([["srppo", "{}"]]));
  function isHarmless(bytes: Uint8Array<ArrayBuffer>): void {
    try {
      const { rows, columns } = decodeArrow(bytes, ALL, "f");
      for (const list of Object.values(columns)) assertEquals(list.length, rows);
    } catch (error) {
      assert(error instanceof DataError, String(error));
    }
  }
  const changed = fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, value) => {
    const bytes = valid.slice();
    bytes[at] = value;
    isHarmless(bytes);
  });
  fc.assert(changed, { seed: 1, numRuns: 2000 });
  for (let length = 0; length < valid.length; length += 13) {
    assertThrows(() => decodeArrow(valid.slice(0, length), ALL, "f"), DataError);
  }
});

Deno.test("decodeArrow() lists every column that is not as it must be", () => {
  const bytes = encodeArrow({ a: "i32", b: "list<i32>" }, { a: [1], b: [Int32Array.of(1)] });
  const error = assertThrows(
    () => decodeArrow(bytes, { a: "i64", b: "list<f32>?", c: "utf8" }, "f"),
    ColumnError,
  );
  assertEquals(
    error.message,
    'f: column "a" must be i64, got i32; ' +
      'column "b" must be list<f32> or null, got list<i32>; column "c" must be utf8, got no such column',
  );
  assertEquals(error.where, { file: "f", column: "a" });
});

Deno.test("encodeArrow() refuses values that their column cannot hold", () => {
  const cases: [() => unknown, string][] = [
    [
      () => encodeArrow({ a: "i32" }, { a: [1, 2 ** 31] }),
      'Column "a", row 1, must be an integer of magnitude below 2^31, got 2147483648',
    ],
    [
      () => encodeArrow({ a: "i64" }, { a: [0.5] }),
      'Column "a", row 0, must be an integer of magnitude below 2^53, got 0.5',
    ],
    [
      () => encodeArrow({ a: "utf8" }, { a: ["\ud800"] }),
      'Column "a", row 0, must be well-formed Unicode, got half a surrogate pair',
    ],
    [
      () => encodeArrow({ a: "utf8" }, { a: [null as unknown as string] }),
      'Column "a", row 0, must be utf8, got null',
    ],
    [
      () => encodeArrow({ a: "utf8", b: "i32" }, { a: ["x"], b: [] }),
      "All columns of a table must have the same number of rows, got 1 in a, 0 in b",
    ],
  ];
  for (const [write, message] of cases) assertEquals(assertThrows(write, ColumnError).message, message);
});
