/**
 * Texts that end a response, such as "\n\nUser:". Tokens come one at a time, for many responses in turn; a stop text may begin in
 * one token and end inside another. In: ids. Out: whether a response has come to an end.
 * @module
 */
import { type StreamDecoder, streamDecoder } from "./stream_decoder.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Takes the next id of a response, and tells whether its text now holds a stop text. */
export type StopWatch = (response: number, id: number) => boolean;

interface Watched {
  readonly stream: StreamDecoder;
  /** end of the text, too short to hold a stop text */
  tail: string;
}

/**
 * Watches responses for `stops`. What is found depends on a response's own ids alone. Special tokens have no text here, and a
 * stop text that ends inside a token ends the response behind that token.
 * @param stops none of them empty; without any, undefined
 */
export function stopWatch(
  tokenizer: Pick<Tokenizer, "decode">,
  stops: readonly string[],
): StopWatch | undefined {
  if (stops.length === 0) return undefined;
  const longest = Math.max(...stops.map((stop) => stop.length));
  const responses = new Map<number, Watched>();
  return (response, id) => {
    let watched = responses.get(response);
    if (watched === undefined) {
      watched = { stream: streamDecoder(tokenizer.decode, { skipSpecial: true }), tail: "" };
      responses.set(response, watched);
    }
    const text = watched.tail + watched.stream.push(id);
    watched.tail = longest === 1 ? "" : text.slice(1 - longest);
    return stops.some((stop) => text.includes(stop));
  };
}
