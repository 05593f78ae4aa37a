/**
 * Text of ids that come one at a time. A character may take several tokens (bytes of an emoji), and a decoder may treat
 * the first token of a text apart (the leading space), so a piece is what decoding with a new id adds to decoding without.
 * In: ids. Out: pieces that never hold half a character.
 * @module
 */

/** Gives the text that each id makes certain. */
export interface StreamDecoder {
  /** Text that `id` adds; "" while a character is incomplete or where it adds none. */
  readonly push: (id: number) => string;
}

/**
 * A decoder for one text, after `DecodeStream` of the Rust library. It keeps the ids since the last complete piece and
 * those of that piece as context, so that a token costs the same however long the text is.
 * @param decode text of ids, as `Tokenizer.decode`
 * @param options.skipSpecial leaves special tokens out; default false
 */
export function streamDecoder(
  decode: (ids: readonly number[], options: { readonly skipSpecial: boolean }) => string,
  options: { readonly skipSpecial?: boolean } = {},
): StreamDecoder {
  const skipSpecial = options.skipSpecial ?? false;
  const text = (ids: readonly number[]): string => decode(ids, { skipSpecial });
  let ids: readonly number[] = [];
  let known = "";
  let contextLength = 0;
  function push(id: number): string {
    ids = [...ids, id];
    const all = text(ids);
    if (all.length <= known.length || all.endsWith("\uFFFD") || !all.startsWith(known)) return "";
    const piece = all.slice(known.length);
    ids = ids.slice(contextLength);
    contextLength = ids.length;
    known = text(ids);
    return piece;
  }
  return { push };
}
