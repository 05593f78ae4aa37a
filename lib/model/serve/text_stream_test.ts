import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { TextStream } from "./text_stream.ts";
import { topTokens } from "./top_tokens.ts";

/** A tokenizer whose tokens are the characters of a text. */
const LETTERS = { decode: (ids: ArrayLike<number>) => String.fromCharCode(...Array.from(ids)) };

/** Passes a text through a stream, letter by letter. @returns the parts and whether a stop text was found */
function parts(
  text: string,
  stops: readonly string[],
): { readonly taken: string[]; readonly isStopped: boolean } {
  const stream = new TextStream(LETTERS, [33, 33], stops), taken: string[] = [];
  for (const letter of text) {
    stream.push(letter.charCodeAt(0));
    taken.push(stream.take(false));
    if (stream.isStopped) break;
  }
  stream.finish();
  taken.push(stream.take(true));
  return { taken, isStopped: stream.isStopped };
}

Deno.test("a text ends before the first stop text, and its parts never include a beginning of one", () => {
  assertEquals(parts("one two", ["two"]), { taken: ["o", "n", "e", " ", "", "", "", ""], isStopped: true });
  assertEquals(parts("tw", ["two"]), { taken: ["", "", "tw"], isStopped: false });
  const letters = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 30 }).map((all) => all.join(""));
  const stop = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 }).map((all) =>
    all.join("")
  );
  fc.assert(fc.property(letters, fc.array(stop, { maxLength: 3 }), (text, stops) => {
    // The stop text that is complete first ends the text; of several, the one that begins first.
    let end = text.length, isStopped = false;
    for (let length = 1; length <= text.length && !isStopped; length++) {
      const found = stops.map((one) => text.slice(0, length).indexOf(one)).filter((at) => at >= 0);
      if (found.length > 0) [end, isStopped] = [Math.min(...found), true];
    }
    const { taken, isStopped: stopped } = parts(text, stops);
    assertEquals([taken.join(""), stopped], [text.slice(0, end), isStopped]);
  }));
});

Deno.test("a character of several tokens is one part, and half of one at the end is U+FFFD", async () => {
  const tokenizer = loadTokenizer("fixtures/stories260k"),
    ids = Array.from(await tokenizer.encode("a 🙂", { special: false }));
  const stream = new TextStream(tokenizer, [1], []),
    taken = ids.map((id) => {
      stream.push(id);
      return stream.take(false);
    });
  assertEquals(taken.join(""), "a 🙂");
  assertEquals(taken.filter((part) => part.includes("🙂")), ["🙂"]);
  const half = new TextStream(tokenizer, [1], []);
  for (const id of ids.slice(0, -1)) half.push(id);
  assertEquals(half.take(false), "a ");
  half.finish();
  assertEquals(half.take(true).includes("\uFFFD"), true);
});

Deno.test("topTokens() returns the largest values, largest first, of equals the first", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1 }),
    fc.integer({ min: 0, max: 8 }),
    (values, count) => {
      const wanted = values.map((_, id) => id).sort((a, b) => values[b]! - values[a]! || a - b).slice(
        0,
        count,
      );
      assertEquals(topTokens(Float32Array.from(values), count, 0).map(({ id }) => id), wanted);
    },
  ));
});
