import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseStrictJson } from "./strict_json.ts";

Deno.test("parseStrictJson() gives what JSON.parse gives for any value", () => {
  fc.assert(fc.property(fc.json(), (text) => assertEquals(parseStrictJson(text), JSON.parse(text))), {
    seed: 1,
  });
});

Deno.test("parseStrictJson() finds a repeated key anywhere", () => {
  const property = fc.property(fc.json(), fc.string(), fc.jsonValue(), (before, key, value) => {
    const entry = `${JSON.stringify(key)}:${JSON.stringify(value)}`;
    const text = `[${before}, {"outer": [{${entry} , ${entry}}]}]`;
    const error = assertThrows(() => parseStrictJson(text), SyntaxError);
    assertEquals(
      error.message,
      `Duplicate key ${JSON.stringify(key)} in an object`,
    );
  });
  fc.assert(property, { seed: 1 });
});

Deno.test("parseStrictJson() allows the same key in different objects and as a value", () => {
  const text = '{"a": {"a": "a"}, "b": ["a", "a", {"a": 1}, {"a": 2}], "c\\"": "a\\\\"}';
  assertEquals(parseStrictJson(text), JSON.parse(text));
});

Deno.test("parseStrictJson() compares keys without their escapes", () => {
  assertThrows(() => parseStrictJson('{"a": 1, "\\u0061": 2}'), SyntaxError, 'Duplicate key "a"');
});

Deno.test("parseStrictJson() survives 90000 open brackets", () => {
  assertThrows(() => parseStrictJson("[".repeat(90000)), SyntaxError);
  parseStrictJson("[".repeat(90000) + "]".repeat(90000));
});
