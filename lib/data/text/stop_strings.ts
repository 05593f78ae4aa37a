/**
 * Texts that end a response, such as "\n\nUser:". They are searched token by token, for many responses at a time; a stop text
 * may begin in one token and end inside another.
 * @module
 */
import { type StreamDecoder, streamDecoder } from "./stream_decoder.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

/** Adds the next id of a response; returns whether its text now contains a stop text. */
export type StopWatch = (response: number, id: number) => boolean;

interface Watched {
  readonly stream: StreamDecoder;
  /** end of the text, one unit shorter than the longest stop text */
  tail: string;
}

/**
 * Returns a function that searches responses for `stops`, or undefined if there are none. The result depends on the ids of
 * the response only. Special tokens have no text here. A stop text that ends inside a token ends the response after it.
 * @param stops texts that are not empty
 */
export function stopWatch(
  tokenizer: Pick<Tokenizer, "decode">,
  stops: readonly string[],
): StopWatch | undefined {
  if (stops.length === 0) return undefined;
  const longest = largest(stops.map((stop) => stop.length));
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
