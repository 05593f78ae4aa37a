/** One BOS, one end token, and a response that begins after its prompt. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { loadTokenizer } from "@/lib/text/tokenizer.ts";
import { encodeDemonstrations, encodePrompts, endOnce } from "./encode_rows.ts";

const tokenizer = loadTokenizer("fixtures/stories260k");
const END = 2;

const encodePrompt = async (text: string) => (await encodePrompts(tokenizer, [text]))[0]!;
const encodeDemonstration = async (
  row: { readonly prompt: string; readonly response: string },
  boundary: "error" | "split",
) => (await encodeDemonstrations(tokenizer, [row], boundary))[0]!;

Deno.test("encodePrompt() gives what the tokenizer's own template gives", async () => {
  for (const text of ["Once upon a time", " two spaces ", "日本"]) {
    assertEquals(await encodePrompt(text), [...await tokenizer.encode(text)]);
  }
});

Deno.test("encodePrompt() writes BOS once where the prompt has written it already", async () => {
  assertEquals((await encodePrompt("<s>Once")).filter((id) => id === 1), [1]);
});

Deno.test("encodeDemonstration() takes the response's ids from the text as a whole", async () => {
  const row = { prompt: "She had a book.", response: " Lucy read it." };
  const encoded = await encodeDemonstration(row, "error");
  if ("problem" in encoded) throw new TypeError(encoded.problem);
  assertEquals([...encoded.promptIds, ...encoded.responseIds], [
    ...await tokenizer.encode(row.prompt + row.response),
    END,
  ]);
  assertEquals(encoded.promptIds, [...await tokenizer.encode(row.prompt)]);
});

Deno.test("a token that reaches from the prompt into the response is a problem, or splits the row", async () => {
  const row = { prompt: "Once upon a ti", response: "me" };
  assertEquals(await encodeDemonstration(row, "error"), {
    problem: 'token "time" reaches from the prompt into the response',
  });
  const split = await encodeDemonstration(row, "split");
  assertEquals(split, {
    ...row,
    promptIds: [...await tokenizer.encode(row.prompt)],
    responseIds: [...await tokenizer.encode(row.response, { special: false }), END],
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

Deno.test("whatever the texts, a demonstration has one BOS, one end, and decodes to its texts", async () => {
  const words = fc.array(fc.constantFrom("a", " cat", " Lucy", ".", "é", " 1", "\n", " ..", "ing"), {
    minLength: 1,
  });
  const text = words.map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(text, text, async (prompt, response) => {
      const encoded = await encodeDemonstration({ prompt, response }, "error");
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
