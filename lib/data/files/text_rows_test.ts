/** JSON arrays and plain text as rows. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { readJsonRows } from "./json.ts";
import { readTextDocuments } from "./text_documents.ts";

function withFile<T>(content: string, use: (path: string) => T): T {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, content);
    return use(path);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("readTextDocuments() separates at blank lines and keeps everything else", () => {
  withFile("\n\na\n  b \n \t\n\n\nc\r\n\r\n d\n\n\n", (path) => {
    assertEquals(readTextDocuments(path), [
      { line: 3, value: { text: "a\n  b " } },
      { line: 8, value: { text: "c" } },
      { line: 10, value: { text: " d" } },
    ]);
  });
  withFile(" \n\n", (path) => {
    const error = assertThrows(() => readTextDocuments(path), DataError);
    assertEquals(error.message, `${path} must hold documents separated by blank lines, got none`);
  });
});

Deno.test("readJsonRows() counts items from 1 and lists those that are not objects", () => {
  withFile('[{"a":1},{"a":2}]', (path) => {
    assertEquals(readJsonRows(path), [{ line: 1, value: { a: 1 } }, { line: 2, value: { a: 2 } }]);
  });
  for (
    const [content, problem] of [
      [
        '[{"a":1},2,null,[]]',
        "hold a JSON array of objects: item 2 is a number, item 3 is null, item 4 is an array",
      ],
      ["{}", "hold a JSON array of objects, got an object"],
      ["[]", "hold a JSON array of objects, got an empty array"],
      ["", "be valid JSON: the file is empty"],
      ['[{"a":1,"a":2}]', 'be valid JSON: Duplicate key "a" in an object'],
    ] as const
  ) {
    withFile(content, (path) => {
      const error = assertThrows(() => readJsonRows(path), DataError);
      assertEquals(error.message, `${path} must ${problem}`);
    });
  }
});
