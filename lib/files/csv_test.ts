/** CSV: what RFC 4180 allows comes out as it was written, what it does not is refused with its line. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError } from "@/lib/tensor/errors.ts";
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

Deno.test("whatever the fields, what is written by the rules is read again", () => {
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
    ['a,b\n1,"2\n3', "the quote in line 2 is never closed", 2],
    ['a,b\n1,"2"3\n', "text follows a closing quote in line 2", 2],
    ['a,b\n1,2"3"\n', "a quote stands inside a field in line 2", 2],
    ["a,b\n1\r2,3\n", "a lone CR in line 2", 2],
    ["a,b\n1\n1,2,3\n", "2 records have not 2 fields: line 2 (1), line 3 (3)", 2],
    ["a,a,\n1,2,3\n", 'its columns must have names of their own, but "a" occurs twice, one has none', 1],
    ["a,b\n1,\0\n", "there is a NUL byte in line 2", undefined],
    ["a,b\n", "it has no row but the names of its columns", undefined],
    ["\n\n", "it has no row", undefined],
    ["", "it is empty", undefined],
  ] as const
) {
  Deno.test(`readCsv() refuses ${JSON.stringify(content)}`, () => {
    withFile(content, (path) => {
      const error = assertThrows(() => readCsv(path), DataError);
      assertEquals(error.message, `Cannot read ${path} as it must be a table in CSV (UTF-8): ${problem}`);
      assertEquals(error.where.line, line);
    });
  });
}

Deno.test("readCsv() refuses bytes that are not UTF-8, and says when they are UTF-16", () => {
  withFile(Uint8Array.of(0x61, 0xff), (path) => {
    const error = assertThrows(() => readCsv(path), DataError);
    assertEquals(error.message, `Cannot read ${path} as it must be CSV in UTF-8: its bytes are not`);
  });
  withFile(Uint8Array.of(0xff, 0xfe, 0x61, 0), (path) => {
    const error = assertThrows(() => readCsv(path), DataError);
    assertEquals(error.message, `Cannot read ${path} as it must be CSV in UTF-8: it is UTF-16`);
  });
});
