/** Tests filters and exact match on cases whose results come from lm-evaluation-harness 0.4.13. @module */
import { assertEquals } from "@std/assert";
import { choiceExtract } from "./choice_filter.ts";
import { exactMatch, NUMBER_FORMATS } from "./exact_match.ts";
import { regexExtract } from "./regex_filter.ts";

const FLEXIBLE = { pattern: /(-?[$0-9.,]{2,})|(-?[0-9]+)/gu, take: "last" } as const;
const LETTERS = { pattern: /(\([A-Z]\))/gu, take: "last" } as const;

Deno.test("regex: the first or last match, its first group that is not empty, or [invalid]", () => {
  assertEquals(regexExtract({ pattern: /#### (-?[0-9.,]+)/gu, take: "first" }, "#### 1,2.\n#### 3"), "1,2.");
  assertEquals(regexExtract(FLEXIBLE, "It costs $18.50. So 7"), "7");
  assertEquals(regexExtract(FLEXIBLE, "none"), "[invalid]");
});

Deno.test("exact_match ignores commas, dollars, what precedes #### and a final full stop", () => {
  const options = { ignored: NUMBER_FORMATS, ignoreCase: true };
  assertEquals(exactMatch("$1,234.", "a b\n#### 1234", options), 1);
  assertEquals(exactMatch("1234.0", "#### 1234", options), 0);
});

Deno.test("choices: a letter in brackets, else the text of a choice, the longest first, else a letter after a colon", () => {
  const choices = ["Guilty", "Guilty of Romance", "3.5 cm"];
  assertEquals(choiceExtract(LETTERS, "(A) or (C)", choices), "(C)");
  assertEquals(choiceExtract(LETTERS, "it is guilty of romance!", choices), "(B)");
  assertEquals(choiceExtract(LETTERS, "35 cm", choices), "(C)");
  assertEquals(choiceExtract(LETTERS, "Answer: B", choices), "(B)");
  assertEquals(choiceExtract(LETTERS, "Answer: D", choices), "[invalid]");
});
