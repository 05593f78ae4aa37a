/** Finds whole words in a text, so that both the page and the terminal can mark them. @module */

/** A piece of a text. */
export interface TextPiece {
  readonly text: string;
  /** one of the words that were looked for */
  readonly isWord: boolean;
}

/**
 * `text` in pieces that together are `text`; whole words of `words` (case counts) stand alone. A word is whole when no
 * letter, digit or underscore of any script touches it.
 */
export function splitByWords(text: string, words: readonly string[]): TextPiece[] {
  const sought = words.filter((w) => w !== "").sort((a, b) => b.length - a.length).map((w) =>
    RegExp.escape(w)
  );
  if (sought.length === 0) return text === "" ? [] : [{ text, isWord: false }];
  const inside = "[\\p{L}\\p{N}_]";
  const pattern = new RegExp(`(?<!${inside})(?:${sought.join("|")})(?!${inside})`, "gu");
  const pieces: TextPiece[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) pieces.push({ text: text.slice(end, match.index), isWord: false });
    pieces.push({ text: match[0], isWord: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end), isWord: false });
  return pieces;
}
