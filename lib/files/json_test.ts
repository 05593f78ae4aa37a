import { assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DataError } from "@/lib/tensor/errors.ts";
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

Deno.test("readJsonObject() refuses other values by name", () => {
  using directory = new TemporaryDirectory();
  const cases = { "[1]": "an array", "null": "null", '"x"': "a string", "3": "a number" };
  for (const [text, current] of Object.entries(cases)) {
    const path = directory.write("a.json", text);
    assertEquals(
      assertThrows(() => readJsonObject(path), DataError).message,
      `Cannot read ${path} as it must hold a JSON object: it is ${current}`,
    );
  }
});

Deno.test("readJson() refuses nesting without end and bytes that are not UTF-8, and names the file", () => {
  using directory = new TemporaryDirectory();
  const deep = join(import.meta.dirname!, "../../fixtures/goldens/corrupt/json_deep_nesting.json");
  for (const path of [deep, directory.write("bad.json", Uint8Array.of(0x22, 0xff, 0x22))]) {
    assertThrows(() => readJson(path), DataError, `Cannot read ${path} as it must be valid JSON in UTF-8: `);
  }
});
