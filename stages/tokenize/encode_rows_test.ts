/** One BOS, one end token, and a response that begins after its prompt. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { encodeDemonstration, encodePrompt, endOnce } from "./encode_rows.ts";

const tokenizer = loadTokenizer("fixtures/stories260k");
const END = 2;

Deno.test("encodePrompt() gives what the tokenizer's own template gives", () => {
  for (const text of ["Once upon a time", " two spaces ", "日本"]) {
    assertEquals(encodePrompt(tokenizer, text), [...tokenizer.encode(text)]);
  }
});

Deno.test("encodePrompt() writes BOS once where the prompt has written it already", () => {
  assertEquals(encodePrompt(tokenizer, "<s>Once").filter((id) => id === 1), [1]);
});

Deno.test("encodeDemonstration() takes the response's ids from the text as a whole", () => {
  const row = { prompt: "She had a book.", response: " Lucy read it." };
  const encoded = encodeDemonstration(tokenizer, row, "error");
  if ("problem" in encoded) throw new TypeError(encoded.problem);
  assertEquals([...encoded.promptIds, ...encoded.responseIds], [
    ...tokenizer.encode(row.prompt + row.response),
    END,
  ]);
  assertEquals(encoded.promptIds, [...tokenizer.encode(row.prompt)]);
});

Deno.test("a token that reaches from the prompt into the response is a problem, or splits the row", () => {
  const row = { prompt: "Once upon a ti", response: "me" };
  assertEquals(encodeDemonstration(tokenizer, row, "error"), {
    problem: 'token "time" reaches from the prompt into the response',
  });
  const split = encodeDemonstration(tokenizer, row, "split");
  assertEquals(split, {
    promptIds: [...tokenizer.encode(row.prompt)],
    responseIds: [...tokenizer.encode(row.response, { special: false }), END],
    isSplit: true,
  });
});

Deno.test("endOnce() adds the end token, keeps one that is there, and refuses one inside", () => {
  assertEquals(endOnce(tokenizer, [5, 6]), { ids: [5, 6, END] });
  assertEquals(endOnce(tokenizer, [5, 6, END]), { ids: [5, 6, END] });
  assertEquals(endOnce(tokenizer, [5, END, 6]), { problem: 'end token "</s>" inside the response' });
  assertEquals(endOnce(tokenizer, [5, END, END]), { problem: 'end token "</s>" inside the response' });
  assertEquals(endOnce(tokenizer, [END]), { problem: "the response has no token but its end" });
  assertEquals(endOnce({ ...tokenizer, eosIds: [2, 4] }, [5, 4]), { ids: [5, 4] });
});

Deno.test("whatever the texts, a demonstration has one BOS, one end, and decodes to its texts", () => {
  const words = fc.array(fc.constantFrom("a", " cat", " Lucy", ".", "é", " 1", "\n", " ..", "ing"), {
    minLength: 1,
  });
  const text = words.map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, text, (prompt, response) => {
      const encoded = encodeDemonstration(tokenizer, { prompt, response }, "error");
      if ("problem" in encoded) return;
      const ids = [...encoded.promptIds, ...encoded.responseIds];
      assertEquals(ids.filter((id) => id === 1).length, 1);
      assertEquals(ids.filter((id) => id === END).length, 1);
      assertEquals(ids.at(-1), END);
      assertEquals(tokenizer.decode(ids, { skipSpecial: true }), prompt + response);
    }),
    { seed: 31 },
  );
});
