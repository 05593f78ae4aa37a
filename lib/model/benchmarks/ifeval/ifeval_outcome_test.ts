/** Tests IFEval's checks on edge cases; expected values are those of the original and of NLTK 3.10.4. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { detectLanguage } from "./detect_language.ts";
import { ifevalOutcome } from "./ifeval_outcome.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { sentencesOf } from "./sentences.ts";
import { wordTokens } from "./word_tokens.ts";

const doc = (id: string, kwargs: Record<string, unknown> = {}) => ({
  key: 1,
  prompt: "p",
  instruction_id_list: [id],
  kwargs: [kwargs],
});

Deno.test("there are 25 instructions", () => {
  assertEquals(Object.keys(INSTRUCTIONS).length, 25);
});

Deno.test("sentences and tokens are those of NLTK's Punkt and word tokenizer", () => {
  assertEquals(
    sentencesOf(
      'Dr. Smith (Jr.) left. He came at 5 p.m. The end!! "Really?" she said... no. 1 of J. K. Rowling',
    ),
    [
      "Dr. Smith (Jr.) left.",
      "He came at 5 p.m.",
      "The end!!",
      '"Really?"',
      "she said... no.",
      "1 of J. K. Rowling",
    ],
  );
  assertEquals(wordTokens("I CAN'T go: $5.00, U.S.A. isn't \"HERE\"--gonna."), [
    ..."I CA N'T go : $ 5.00 , U.S.A. is n't `` HERE '' -- gon na .".split(" "),
  ]);
});

Deno.test("languages are those of langdetect with seed 0, errors included", () => {
  assertEquals(detectLanguage("WHY DID THE STARTUP THAT SELLS DOG FOOD WRITE A SONG?"), "de");
  assertEquals(detectLanguage("etchings"), "de");
  assertEquals(detectLanguage("Kwa nini pete ya uchumba ni kama mpira wa miguu?"), "sw");
  assertEquals(detectLanguage("123 !?"), undefined);
});

Deno.test("a loose outcome is met by a variant without the first line or asterisks", () => {
  const outcome = ifevalOutcome(doc("startend:quotation"), 'Sure:\n"*text*"');
  assertEquals([outcome.inst_level_strict_acc, outcome.inst_level_loose_acc], [[false], [true]]);
});

Deno.test("an empty response follows nothing, and a text without letters counts as any language", () => {
  const german = doc("language:response_language", { language: "de" });
  assertEquals(ifevalOutcome(german, " \n").prompt_level_loose_acc, false);
  assertEquals(ifevalOutcome(german, "1, 2, 3").prompt_level_strict_acc, true);
});

Deno.test("Python's JSON accepts NaN and refuses a leading zero", () => {
  const json = (text: string) =>
    ifevalOutcome(doc("detectable_format:json_format"), text).prompt_level_strict_acc;
  assertEquals([json("```json\n[NaN]\n```"), json('{"a": 01}'), json('"NaN'), json("-NaN")], [
    true,
    false,
    false,
    false,
  ]);
});

Deno.test("an unknown instruction and a missing argument are errors", () => {
  const unknown = assertThrows(() => ifevalOutcome(doc("keywords:none"), "x"), DataError);
  assertEquals(unknown.message.endsWith('got "keywords:none"'), true);
  const missing = assertThrows(
    () => ifevalOutcome(doc("keywords:frequency", { keyword: "a" }), "x"),
    DataError,
  );
  assertEquals(
    missing.message,
    'Argument relation of an instruction must be "less than" or "at least", got nothing',
  );
});
