/** Tests checkers, one rule per test. @module */
import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import type { Checker, CheckerInput, CheckerMetrics } from "./checker.ts";
import { loadChecker } from "./load_checker.ts";
import { hasWord } from "./words.ts";

/** Returns the metrics of one response. */
async function metricsOf(check: Checker, input: CheckerInput): Promise<CheckerMetrics> {
  return (await check([input]))[0]!;
}

Deno.test("words: score is the share of whole words, case-sensitive", async () => {
  const check = await loadChecker("words");
  const meta = { words: ["Lucy", "book"] };
  const scores = (response: string) => metricsOf(check, { meta, response, ended: true });
  assertEquals(await scores("Lucy loved her book."), { score: 1, both_words: 1 });
  assertEquals(await scores("Lucy loved her books."), { score: 0.5, both_words: 0 });
  assertEquals(await scores("lucy loved her Book."), { score: 0, both_words: 0 });
  assertEquals(await scores("Lucy's book"), { score: 1, both_words: 1 });
});

Deno.test("words: a response that did not end scores 0", async () => {
  const check = await loadChecker("words");
  const input = { meta: { words: ["Lucy"] }, response: "Lucy", ended: false };
  assertEquals(await metricsOf(check, input), { score: 0, both_words: 0 });
  assertEquals(await metricsOf(check, { ...input, ended: true }), { score: 1, both_words: 1 });
});

// made with Python 3: bool(re.search(rf"\b{re.escape(word)}\b", text))
const PYTHON: readonly (readonly [string, string, boolean])[] = [
  ["café", "un café noir", true],
  ["caf", "un café noir", false], // JavaScript's \b finds a boundary before é
  ["caf", "cafe\u0301", false],
  ["cafe", "cafe\u0301", true], // a combining mark is no word character in Python
  ["book", "book_2", false],
  ["book", "²book", false], // ² is alphanumeric in Python
  ["book", "book½", false],
  ["книга", "моя книга.", true],
  ["本", "本屋", false],
  ["a.b", "axb", false],
  ["a.b", "(a.b)", true],
  ["C++", "C++ is", false], // no boundary between + and a space
  ["C++", "C++x", true],
  ["-", "a-b", true],
  ["-", "a - b", false],
  ["ﬁ", "ﬁ", true],
];

Deno.test("words: a word's edges are those of Python's Unicode-aware \\b", () => {
  for (const [word, text, expected] of PYTHON) {
    assertEquals([word, text, hasWord(text, word)], [word, text, expected]);
  }
});

Deno.test("words: a text of letters is found between spaces and never inside a longer word", () => {
  const letters = fc.stringMatching(/^[a-z]{1,8}$/);
  fc.assert(
    fc.property(letters, letters, (word, other) => {
      assertEquals(hasWord(`${other} ${word}, ${other}`, word), true);
      assertEquals(hasWord(`${word}${other}`, `${word}${other}`.slice(0, -1)), false);
    }),
    { seed: 3 },
  );
});

Deno.test("exact: the whole response without surrounding white space, and it must have ended", async () => {
  const check = await loadChecker("exact");
  assertEquals(await metricsOf(check, { meta: { answer: "42" }, response: " 42\n", ended: true }), {
    score: 1,
  });
  assertEquals(await metricsOf(check, { meta: { answer: "42" }, response: "42", ended: false }), {
    score: 0,
  });
  assertEquals(await metricsOf(check, { meta: { answer: "42" }, response: "It is 42", ended: true }), {
    score: 0,
  });
  assertEquals(
    await metricsOf(check, { meta: { answer: ["42", "forty-two"] }, response: "forty-two", ended: true }),
    {
      score: 1,
    },
  );
});

Deno.test("contains: the expected text anywhere, from a field of the user's choice, case-sensitive or not", async () => {
  const check = await loadChecker("contains", { field: "city", ignoreCase: true });
  assertEquals(await metricsOf(check, { meta: { city: "Paris" }, response: "That is PARIS", ended: false }), {
    score: 1,
  });
  const strict = await loadChecker("contains", { field: "city" });
  assertEquals(
    await metricsOf(strict, { meta: { city: "Paris" }, response: "That is PARIS", ended: false }),
    { score: 0 },
  );
});

Deno.test("regex: one pattern for all rows, or one per row", async () => {
  const all = await loadChecker("regex", { pattern: "^\\d+$" });
  assertEquals(await metricsOf(all, { meta: {}, response: "123", ended: true }), { score: 1 });
  assertEquals(await metricsOf(all, { meta: {}, response: "123a", ended: true }), { score: 0 });
  const each = await loadChecker("regex");
  assertEquals(await metricsOf(each, { meta: { pattern: "b+c" }, response: "abbc", ended: true }), {
    score: 1,
  });
});

Deno.test("regex: a pattern that does not compile is a usage error", async () => {
  const error = await assertRejects(() => loadChecker("regex", { pattern: "(" }), UsageError);
  assertEquals(
    error.message,
    "Invalid pattern of the checker: Invalid regular expression: /(/u: Unterminated group",
  );
});

Deno.test("regex: a pattern that would take exponential time takes linear time", async () => {
  const check = await loadChecker("regex", { pattern: "^(a+)+$" });
  const response = `${"a".repeat(20_000)}b`;
  assertEquals(await metricsOf(check, { meta: {}, response, ended: true }), { score: 0 });
});

Deno.test("a prompt without the field that its checker requires is an error that names the field", async () => {
  const check = await loadChecker("words");
  for (
    const [meta, what] of [[{}, "nothing"], [{ words: [] }, "[]"], [{ words: ["a", 1] }, '["a",1]']] as const
  ) {
    const error = await assertRejects(() => check([{ meta, response: "", ended: true }]), DataError);
    assertEquals(
      error.message,
      `Field "words" of a prompt must be a string or a list of strings, got ${what}`,
    );
  }
  const inherited = await loadChecker("exact", { field: "constructor" });
  await assertRejects(() => inherited([{ meta: {}, response: "", ended: true }]), DataError);
});

Deno.test("an unknown checker is an error that lists the known names", async () => {
  const error = await assertRejects(() => loadChecker("word"), UsageError);
  assertEquals(
    error.message,
    'A checker must be one of words, exact, contains, regex, or the path of a module (.ts, .js, .mjs), got "word"',
  );
});

Deno.test("a user's module returns its metrics; other results are an error", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const write = async (name: string, text: string): Promise<string> => {
      await Deno.writeTextFile(`${dir}/${name}`, text);
      return `${dir}/${name}`;
    };
    const input = { meta: {}, response: "four", ended: true };
    const good = await loadChecker(
      await write(
        "good.ts",
        "export const check = (i: { response: string }) => ({ score: i.response.length / 8 });",
      ),
    );
    assertEquals(await metricsOf(good, input), { score: 0.5 });
    const bad = await write("bad.js", "export function check() { return { score: NaN }; }");
    const metrics = await assertRejects(async () => (await loadChecker(bad))([input]), DataError);
    assertEquals(
      metrics.message,
      `checker ${bad} must return finite numbers with "score" among them, got {"score":"NaN"} for the response "four"`,
    );
    const other = await write("other.js", "export const score = 1;");
    const error = await assertRejects(() => loadChecker(other), UsageError);
    assertEquals(
      error.message,
      `checker ${other} must export a function "check", got score`,
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
