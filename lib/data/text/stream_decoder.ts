/**
 * Decodes ids one at a time to pieces of text without half characters. A character may need several tokens (bytes of an
 * emoji), and a decoder may treat the first token of a text differently (the leading space), so a piece is what a new id adds
 * to the decoded text.
 * @module
 */

/**
 * Returns the text that each id adds to the text of `ids`, special tokens included; a character of several tokens belongs to
 * its last one.
 */
export function tokenPieces(
  { decode }: { readonly decode: Parameters<typeof streamDecoder>[0] },
  ids: ArrayLike<number>,
): string[] {
  const decoder = streamDecoder(decode);
  return Array.from(ids, (id) => decoder.push(id));
}

/** Decodes one text id by id. */
export interface StreamDecoder {
  /** Returns the text that `id` adds; "" if it adds none or a character is incomplete. */
  readonly push: (id: number) => string;
}

/**
 * Returns a decoder for one text, like `DecodeStream` of the Rust library. It keeps the ids of the last piece and those after
 * it as context, so that the cost of a token does not depend on the length of the text.
 * @param decode see `Tokenizer.decode`
 * @param options.skipSpecial whether to skip special tokens; default false
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
