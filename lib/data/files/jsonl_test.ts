import { assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { readJsonl } from "./jsonl.ts";

const CORRUPT = join(import.meta.dirname!, "../../../fixtures/goldens/corrupt");

/** Files whose lines are valid JSON objects: the code that knows the layout finds their problems. */
const OF_A_LAYOUT = [
  "jsonl_missing_field.jsonl",
  "jsonl_wrong_type.jsonl",
  "jsonl_null.jsonl",
  "jsonl_three_bad_lines.jsonl",
];

for (const { value: { file, must_mention } } of readJsonl(join(CORRUPT, "expected.jsonl"))) {
  const name = String(file);
  if (!name.startsWith("jsonl_") || name === "jsonl_long_line.jsonl") continue;
  const path = join(CORRUPT, name);
  if (OF_A_LAYOUT.includes(name)) {
    Deno.test(`readJsonl() reads ${name}, whose layout it does not check`, () => {
      assertEquals(readJsonl(path).length > 0, true);
    });
  } else {
    Deno.test(`readJsonl() refuses ${name}`, () => {
      const error = assertThrows(() => readJsonl(path), DataError);
      for (const part of must_mention as string[]) {
        assertEquals(error.message.includes(part), true, error.message);
      }
    });
  }
}

Deno.test("readJsonl() lists every bad line at once", () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("rows.jsonl", '{}\n[]\n{}\nnull\n{"a": 1, "a": 2}\n');
  const error = assertThrows(() => readJsonl(path), DataError);
  assertEquals(error.where, { file: path, line: 2 });
  assertEquals(
    error.message,
    `${path} must hold one JSON object per line in UTF-8, got 3 bad lines: ` +
      "line 2 (an array, not an object), line 4 (null, not an object), " +
      'line 5 (Duplicate key "a" in an object)',
  );
});

Deno.test("readJsonl() shows ten bad lines and counts the rest", () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("rows.jsonl", `{}\n${"1\n".repeat(12)}`);
  const shown = Array.from({ length: 10 }, (_, i) => `line ${i + 2} (a number, not an object)`).join(", ");
  assertEquals(
    assertThrows(() => readJsonl(path), DataError).message,
    `${path} must hold one JSON object per line in UTF-8, got 12 bad lines: ${shown}, and 2 more`,
  );
});

Deno.test("readJsonl() allows a byte order mark, blank lines, CRLF and a missing last newline", () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("rows.jsonl", '\ufeff{"a": 1}\r\n\r\n  \n{"__proto__": 2}');
  const rows = readJsonl(path);
  assertEquals(rows.map((row) => row.line), [1, 4]);
  assertEquals(rows[0]!.value, { a: 1 });
  assertEquals(Object.entries(rows[1]!.value), [["__proto__", 2]]);
});

Deno.test("readJsonl() reads a line of 5 MB", () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("rows.jsonl", `{}\n{"a": "${"a".repeat(5_000_000)}"}\n`);
  assertEquals(String(readJsonl(path)[1]!.value.a).length, 5_000_000);
});
