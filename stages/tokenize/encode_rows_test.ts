/** One BOS, one end token, and a response that begins after its prompt. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { encodeDemonstrations, encodePrompts, endOnce } from "./encode_rows.ts";

const tokenizer = loadTokenizer("fixtures/stories260k");
const END = 2;

const encodePrompt = async (text: string) => (await encodePrompts(tokenizer, [text]))[0]!;
const encodeDemonstration = async (
  row: { readonly prompt: string; readonly response: string },
  boundary: "error" | "split",
) => (await encodeDemonstrations(tokenizer, [row], boundary))[0]!;

Deno.test("encodePrompt() returns the same ids as the tokenizer's template", async () => {
  for (const text of ["Once upon a time", " two spaces ", "日本"]) {
    assertEquals(await encodePrompt(text), [...await tokenizer.encode(text)]);
  }
});

Deno.test("encodePrompt() adds no BOS if the prompt begins with it", async () => {
  assertEquals((await encodePrompt("<s>Once")).filter((id) => id === 1), [1]);
});

Deno.test("encodeDemonstration() encodes the response together with its prompt", async () => {
  const row = { prompt: "She had a book.", response: " Lucy read it." };
  const encoded = await encodeDemonstration(row, "error");
  if ("problem" in encoded) throw new TypeError(encoded.problem);
  assertEquals([...encoded.promptIds, ...encoded.responseIds], [
    ...await tokenizer.encode(row.prompt + row.response),
    END,
  ]);
  assertEquals(encoded.promptIds, [...await tokenizer.encode(row.prompt)]);
});

Deno.test("a token that spans prompt and response is a problem, or splits the row", async () => {
  const row = { prompt: "Once upon a ti", response: "me" };
  assertEquals(await encodeDemonstration(row, "error"), {
    problem: 'token "time" spans prompt and response',
  });
  const split = await encodeDemonstration(row, "split");
  assertEquals(split, {
    ...row,
    promptIds: [...await tokenizer.encode(row.prompt)],
    responseIds: [...await tokenizer.encode(row.response, { special: false }), END],
    isSplit: true,
  });
});

Deno.test("endOnce() adds a missing end token and refuses one inside", () => {
  assertEquals(endOnce(tokenizer, [5, 6]), { ids: [5, 6, END] });
  assertEquals(endOnce(tokenizer, [5, 6, END]), { ids: [5, 6, END] });
  assertEquals(endOnce(tokenizer, [5, END, 6]), { problem: 'end token "</s>" inside the response' });
  assertEquals(endOnce(tokenizer, [5, END, END]), { problem: 'end token "</s>" inside the response' });
  assertEquals(endOnce(tokenizer, [END]), { problem: "the response has no token except its end" });
  assertEquals(endOnce({ ...tokenizer, eosIds: [2, 4] }, [5, 4]), { ids: [5, 4] });
});

Deno.test("for any texts, a demonstration has one BOS, one end token, and decodes to its texts", async () => {
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
