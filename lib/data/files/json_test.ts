import { assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { readJson, readJsonObject, writeJson } from "./json.ts";

Deno.test("writeJson() gives equal bytes for equal values", () => {
  using directory = new TemporaryDirectory();
  writeJson(directory.file("a"), { b: [1, { d: 1, c: 2 }], a: undefined });
  assertEquals(
    Deno.readTextFileSync(directory.file("a")),
    '{\n  "b": [\n    1,\n    {\n      "c": 2,\n      "d": 1\n    }\n  ]\n}\n',
  );
  assertEquals(readJson(directory.file("a")), { b: [1, { c: 2, d: 1 }] });
});

Deno.test("readJsonObject() refuses other values and says what they are", () => {
  using directory = new TemporaryDirectory();
  const cases = { "[1]": "an array", "null": "null", '"x"': "a string", "3": "a number" };
  for (const [text, current] of Object.entries(cases)) {
    const path = directory.write("a.json", text);
    assertEquals(
      assertThrows(() => readJsonObject(path), DataError).message,
      `${path} must hold a JSON object, got ${current}`,
    );
  }
});

Deno.test("readJson() refuses endless nesting and bytes that are not UTF-8, and names the file", () => {
  using directory = new TemporaryDirectory();
  const deep = join(import.meta.dirname!, "../../../fixtures/goldens/corrupt/json_deep_nesting.json");
  assertThrows(() => readJson(deep), DataError, `${deep} must be valid JSON: `);
  const bytes = directory.write("bad.json", Uint8Array.of(0x22, 0xff, 0x22));
  assertThrows(() => readJson(bytes), DataError, `${bytes} must be UTF-8, got other bytes`);
});
