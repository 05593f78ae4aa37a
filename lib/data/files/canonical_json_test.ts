import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { canonicalJson } from "./canonical_json.ts";

// The example of RFC 8785, section 3.2.2, and its expected output in 3.2.3.
Deno.test("canonicalJson() prints the example of RFC 8785", () => {
  const value = {
    numbers: [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/",
    literals: [null, true, false],
  };
  assertEquals(
    canonicalJson(value),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

Deno.test("canonicalJson() does not depend on the order of keys", () => {
  const property = fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
    const reversed = Object.fromEntries(Object.entries(value).reverse());
    assertEquals(canonicalJson(value), canonicalJson(reversed));
    assertEquals(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
  });
  fc.assert(property, { seed: 1 });
});

Deno.test("canonicalJson() counts an undefined property as absent", () => {
  assertEquals(canonicalJson({ b: 1, a: undefined }), '{"b":1}');
});

Deno.test("canonicalJson() refuses what JSON cannot express, and names it", () => {
  const cases: [unknown, string][] = [
    [{ a: [1, NaN] }, "/a/1 must be representable in JSON, got NaN"],
    [[undefined], "/0 must be representable in JSON, got undefined"],
    [1n, "The value must be representable in JSON, got bigint"],
    [{ m: new Map() }, "/m must be representable in JSON, got Map"],
    [new Float32Array(1), "The value must be representable in JSON, got Float32Array"],
  ];
  for (const [value, message] of cases) {
    assertEquals(assertThrows(() => canonicalJson(value), TypeError).message, message);
  }
});
