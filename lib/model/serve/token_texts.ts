/** Texts of single tokens, as they are within a text: with the leading space that a decoder removes at the start. @module */
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";

/** Returns the text of a token. */
export type TokenText = (id: number) => string;

/** Returns a function from ids to texts. A token with half a character has U+FFFD. */
export async function tokenTexts(tokenizer: Pick<Tokenizer, "decode" | "encode">): Promise<TokenText> {
  const anchor = Array.from(await tokenizer.encode("a", { special: false }));
  const before = tokenizer.decode(anchor), known = new Map<number, string>();
  return (id) => {
    let text = known.get(id);
    if (text === undefined) {
      const both = tokenizer.decode([...anchor, id]);
      text = both.startsWith(before) ? both.slice(before.length) : tokenizer.decode([id]);
      known.set(id, text);
    }
    return text;
  };
}
