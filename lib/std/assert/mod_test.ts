import { AssertionError, deepStrictEqual, equal } from "node:assert/strict";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "./mod.ts";

/** True if `f` throws an assertion error; anything else that it throws passes through. */
function fails(f: () => unknown): boolean {
  try {
    f();
    return false;
  } catch (error) {
    if (error instanceof AssertionError) return true;
    throw error;
  }
}

const CASES: readonly [name: string, passes: () => unknown, fails: () => unknown][] = [
  ["assert", () => assert("x"), () => assert(0)],
  [
    "assertEquals of values",
    () => assertEquals({ a: [1, NaN] }, { a: [1, NaN] }),
    () => assertEquals<unknown>({ a: 1 }, { a: "1" }),
  ],
  [
    "assertEquals of typed arrays",
    () => assertEquals(new Float32Array([1]), new Float32Array([1])),
    () => assertEquals(new Float32Array([1]), new Float32Array([2])),
  ],
  ["assertNotEquals", () => assertNotEquals([1], [2]), () => assertNotEquals([1], [1])],
  ["assertAlmostEquals", () => assertAlmostEquals(1, 1 + 5e-8), () => assertAlmostEquals(1, 1 + 5e-7)],
  [
    "assertAlmostEquals of its bound",
    () => assertAlmostEquals(1, 1.5, 0.5),
    () => assertAlmostEquals(1, 1.51, 0.5),
  ],
  [
    "assertAlmostEquals of infinities",
    () => assertAlmostEquals(Infinity, Infinity),
    () => assertAlmostEquals(Infinity, -Infinity),
  ],
  ["assertAlmostEquals of NaN", () => assertAlmostEquals(NaN, NaN), () => assertAlmostEquals(1, NaN)],
  ["assertStringIncludes", () => assertStringIncludes("abc", "b"), () => assertStringIncludes("abc", "d")],
  ["assertMatch", () => assertMatch("abc", /^a/), () => assertMatch("abc", /^b/)],
  [
    "assertThrows",
    () => assertThrows(() => JSON.parse("{"), SyntaxError, "JSON"),
    () => assertThrows(() => {}),
  ],
  [
    "assertThrows of a class",
    () => assertThrows(() => JSON.parse("{"), Error),
    () => assertThrows(() => JSON.parse("{"), TypeError),
  ],
  [
    "assertThrows of a text",
    () => assertThrows(() => JSON.parse("{")),
    () => assertThrows(() => JSON.parse("{"), Error, "nothing of it"),
  ],
];

for (const [name, good, bad] of CASES) {
  Deno.test(`${name}() passes and fails as the original does`, () => {
    equal(fails(good), false);
    equal(fails(bad), true);
  });
}

Deno.test("assertThrows() and assertRejects() give back what was thrown", async () => {
  const error = new RangeError("Cannot go on");
  equal(
    assertThrows(() => {
      throw error;
    }, RangeError),
    error,
  );
  equal(await assertRejects(() => Promise.reject(error), RangeError, "go on"), error);
});

Deno.test("assertRejects() fails for a promise that does not, and for another class", async () => {
  const outcomes = await Promise.allSettled([
    assertRejects(() => Promise.resolve(1)),
    assertRejects(() => Promise.reject(new Error("x")), TypeError),
    assertRejects(() => Promise.reject(new Error("x")), Error, "y"),
  ]);
  deepStrictEqual(outcomes.map((o) => o.status === "rejected" && o.reason instanceof AssertionError), [
    true,
    true,
    true,
  ]);
});
