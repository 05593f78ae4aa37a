/** Stop texts across tokens, and half characters that nobody sees. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { stopWatch } from "./stop_strings.ts";
import { streamDecoder } from "./stream_decoder.ts";
import { loadTokenizer } from "./tokenizer.ts";

const tokenizer = loadTokenizer("fixtures/stories260k");

/** How many tokens of `text` are taken until a stop text ends it; -1: none does. */
async function stopsAt(text: string, stops: readonly string[]): Promise<number> {
  const watch = stopWatch(tokenizer, stops)!;
  return (await tokenizer.encode(text, { special: false })).findIndex((id) => watch(0, id));
}

Deno.test("a stop text is found where it ends, across tokens and inside one", async () => {
  const ids = await tokenizer.encode("Lucy read it.\nUser: no", { special: false });
  const texts = Array.from(ids, (_, k) => tokenizer.decode(ids.subarray(0, k + 1)));
  for (const stop of ["\nUser:", "read", "ead it", ".", "y"]) {
    assertEquals(
      await stopsAt("Lucy read it.\nUser: no", [stop]),
      texts.findIndex((text) => text.includes(stop)),
      stop,
    );
  }
  assertEquals(await stopsAt("Lucy read it.", ["User", "é"]), -1);
  assertEquals(stopWatch(tokenizer, []), undefined);
});

Deno.test("responses that come in turns do not mix", async () => {
  const watch = stopWatch(tokenizer, ["ab"])!;
  const [a, b] = await Promise.all(["xa", "b"].map((text) => tokenizer.encode(text, { special: false })));
  assertEquals([...a!].some((id) => watch(0, id)), false);
  assertEquals([...b!].some((id) => watch(1, id)), false);
  assertEquals(watch(0, tokenizer.idOf("b")!), true);
});

Deno.test("pieces of a stream hold no half character and add up to the text", async () => {
  const text = fc.array(fc.constantFrom("a", " cat", "é", "😀", "\n", "日本", "👩‍🚀"), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(text, async (parts) => {
      const ids = await tokenizer.encode(parts.join(""), { special: false });
      const stream = streamDecoder(tokenizer.decode);
      const pieces = Array.from(ids, (id) => stream.push(id));
      assertEquals(pieces.every((piece) => !piece.includes("\uFFFD") && piece.isWellFormed()), true);
      assertEquals(pieces.join(""), tokenizer.decode(ids));
    }),
    { seed: 5, numRuns: 50 },
  );
});
