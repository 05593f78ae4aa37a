/** CSV: what RFC 4180 allows is read unchanged, everything else is refused with its line and column. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { readCsv } from "./csv.ts";

function withFile<T>(content: string | Uint8Array, use: (path: string) => T): T {
  const path = Deno.makeTempFileSync({ suffix: ".csv" });
  try {
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    return use(path);
  } finally {
    Deno.removeSync(path);
  }
}

const rowsOf = (content: string, delimiter = ",") =>
  withFile(content, (path) => readCsv(path, { delimiter }));

Deno.test("quotes, delimiters and line ends inside quotes stay; lines count those inside fields", () => {
  assertEquals(rowsOf('\uFEFFa,b\r\n"x ""y"", z","1\r\n2\n"\r\n\r\n ,\n'), [
    { line: 2, value: { a: 'x "y", z', b: "1\r\n2\n" } },
    { line: 6, value: { a: " ", b: "" } },
  ]);
  assertEquals(rowsOf("a\tb\n1,2\t3", "\t"), [{ line: 2, value: { a: "1,2", b: "3" } }]);
  assertEquals(rowsOf('a\n""\n'), [{ line: 2, value: { a: "" } }]);
  assertEquals(rowsOf("a,b\n1,"), [{ line: 2, value: { a: "1", b: "" } }]);
});

Deno.test("fields written by the rules are read back unchanged", () => {
  const field = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r", "é", " ", "😀"), maxLength: 6 });
  const table = fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(table, fc.constantFrom("\n", "\r\n"), (rows, end) => {
      const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
      const text = [["x", "y"], ...rows].map((row) => row.map(quote).join(",")).join(end);
      assertEquals(rowsOf(text).map(({ value }) => [value.x, value.y]), rows);
    }),
    { seed: 11 },
  );
});

for (
  const [content, problem, line] of [
    ['a,b\n1,"2\n3', ":2: invalid CSV, column 2: unclosed quote", 2],
    ['a,b\r\n\r\n"1\r\n\r\n",2\r\n\r\n\n"3', ":8: invalid CSV, column 1: unclosed quote", 8],
    ['a,b\n1,"2"3\n', ":2: invalid CSV, column 2: text after a closing quote", 2],
    ['a,b\n1,2"3"\n', ":2: invalid CSV, column 2: quote inside an unquoted field", 2],
    ["a,b\n1\r2,3\n", ":2: invalid CSV, column 1: CR without LF", 2],
    ["a,b\n1\n1,2,3\n", ":2: invalid CSV: every row must have 2 fields, but line 2 has 1, line 3 has 3", 2],
    ["a,a,\n1,2,3\n", ':1: invalid CSV: column names must be unique, got "a" twice, an empty name', 1],
    ["a,b\n1,\0\n", ":2: invalid CSV: NUL byte", 2],
    ["a,b\n", ": invalid CSV: no rows after the header", undefined],
    ["\n\n", ": invalid CSV: no header and no rows", undefined],
    ["", ": invalid CSV: no header and no rows", undefined],
  ] as const
) {
  Deno.test(`readCsv() refuses ${JSON.stringify(content)}`, () => {
    withFile(content, (path) => {
      const error = assertThrows(() => readCsv(path), DataError);
      assertEquals(error.message, `${path}${problem}`);
      assertEquals(error.where.line, line);
    });
  });
}

Deno.test("readCsv() refuses bytes that are not UTF-8, and recognises UTF-16", () => {
  withFile(Uint8Array.of(0x61, 0xff), (path) => {
    const error = assertThrows(() => readCsv(path), DataError);
    assertEquals(error.message, `${path} must be UTF-8, got other bytes`);
  });
  withFile(Uint8Array.of(0xff, 0xfe, 0x61, 0), (path) => {
    const error = assertThrows(() => readCsv(path), DataError);
    assertEquals(error.message, `${path} must be UTF-8, got UTF-16`);
  });
});
