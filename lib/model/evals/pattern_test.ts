/** Tests patterns: the same matches as JavaScript's own engine, and what is refused. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { compilePattern } from "./pattern.ts";

const ATOMS = [
  ...[
    "a",
    "b",
    " ",
    "\\s",
    "\\S",
    ".",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\b",
    "\\B",
    "^",
    "$",
    "\\n",
    "\\r",
    "é",
    "\\0",
  ],
  ...[
    "[a\\s]",
    "[^\\sdD]",
    "[\\S\\n]",
    "[^\\S]",
    "[^]",
    "[]",
    "[[]",
    "[[:a]",
    "[\\]x]",
    "[\\b]",
    "[^.]",
    "[\\-a]",
  ],
  ...[
    "\\u{1F600}",
    "\\ud83d\\ude00",
    "😀",
    "[😀a-c]",
    "\\u00e9",
    "\\x41",
    "\\cJ",
    "\\/",
    "\\v",
    "\\p{L}",
    "\\P{Lu}",
  ],
  ...["\\p{Script=Greek}", "(?:ab|a)", "(a|ab)", "(?<=a)", "(?<!b)"],
];
const atom = fc.tuple(fc.constantFrom(...ATOMS), fc.constantFrom("", "", "*", "+", "?", "{1,2}", "*?", "+?"));
const sequence = fc.array(atom, { minLength: 1, maxLength: 4 }).map((parts) =>
  parts.map(([part, times]) => /^(\\b|\\B|\^|\$|\(\?<.*)$/i.test(part) ? part : part + times).join("")
);
const pattern = fc.tuple(sequence, sequence, fc.constantFrom("|", "", "+"))
  .map(([left, right, how]) => how === "|" ? `${left}|${right}` : `(?:${left})${how}${right}`);
const CHARACTERS = [
  "a",
  "b",
  "A",
  "d",
  " ",
  "\n",
  "\r",
  "\u00a0",
  "\u2028",
  "\ufeff",
  "😀",
  "é",
  "λ",
  "1",
  "_",
  "[",
];
const text = fc.array(fc.constantFrom(...CHARACTERS, ":", "]", ".", "-", "\0", "\b", "/"), { maxLength: 8 })
  .map((characters) => characters.join(""));

Deno.test("compilePattern() matches what JavaScript's engine matches with the flag u", () => {
  fc.assert(
    fc.property(pattern, text, fc.boolean(), (source, where, ignoreCase) => {
      // Ignoring case, JavaScript's `\P{Lu}` matches letters that `\p{Lu}` matches too.
      fc.pre(!ignoreCase || !source.includes("\\P"));
      const flags = ignoreCase ? "iu" : "u", compiled = compilePattern(source, ignoreCase);
      const [start] = new RegExp(source, `${flags}y`).exec(where) ?? [];
      assertEquals(compiled.test(where), new RegExp(source, flags).test(where));
      assertEquals(compiled.atStart(where), start);
    }),
    { seed: 5, numRuns: 3000 },
  );
});

Deno.test("compilePattern() refuses what linear time does not allow, and names a module as the way out", () => {
  for (const source of ["(?=a)b", "a(?!b)", "(a)\\1", "a{1001}", "((a{1000}){1000}){1000}", "(?s:.)"]) {
    const error = assertThrows(() => compilePattern(source), DataError);
    assertEquals(
      error.message,
      "A pattern must run in linear time, without lookahead, backreferences and more than 1000 repetitions (a module as " +
        `checker may use them), got ${source}`,
    );
  }
  assertThrows(() => compilePattern("a**"), UsageError);
});
