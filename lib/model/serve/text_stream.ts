/**
 * The text of one response while its tokens arrive: it ends before a stop text, and a part that may become one waits.
 * @module
 */
import { largest } from "@/lib/compute/tensor/large_lists.ts";
import { streamDecoder } from "@/lib/data/text/stream_decoder.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";

/** Ids at the end of a prompt that the decoder sees before a response: they decide about a leading space. */
const CONTEXT = 8;

/** The text of a response. */
export class TextStream {
  readonly #decoder;
  readonly #longest: number;
  #text = "";
  #taken = 0;
  #stopped = false;
  readonly #context: readonly number[];
  readonly #ids: number[] = [];

  /**
   * @param prompt ids before the response
   * @param stops texts that end it and are not part of it; not empty
   */
  constructor(
    readonly tokenizer: Pick<Tokenizer, "decode">,
    prompt: ArrayLike<number>,
    readonly stops: readonly string[],
  ) {
    this.#decoder = streamDecoder(tokenizer.decode, { skipSpecial: true });
    this.#context = Array.from(prompt).slice(-CONTEXT);
    for (const id of this.#context) this.#decoder.push(id);
    this.#longest = largest([0, ...stops.map((stop) => stop.length)]);
  }

  /** The text so far, up to a stop text. */
  get text(): string {
    return this.#text;
  }

  /** Whether a stop text has ended the response. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Adds a token. @returns where its text begins */
  push(id: number): number {
    this.#ids.push(id);
    const begin = this.#text.length, piece = this.#decoder.push(id);
    this.#text += piece;
    const from = Math.max(this.#taken, begin - this.#longest + 1);
    const ends = this.stops.map((stop) => this.#text.indexOf(stop, from)).filter((at) => at >= 0);
    if (ends.length > 0) {
      this.#stopped = true;
      this.#text = this.#text.slice(0, ends.reduce((a, b) => Math.min(a, b)));
    }
    return Math.min(begin, this.#text.length);
  }

  /** Length of the text that was taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Completes the text after the last token: a half character becomes U+FFFD, unless a stop text has ended it. */
  finish(): void {
    if (this.#stopped) return;
    const decode = (ids: readonly number[]) => this.tokenizer.decode(ids, { skipSpecial: true });
    const before = decode(this.#context), all = decode([...this.#context, ...this.#ids]);
    if (all.startsWith(before + this.#text)) this.#text = all.slice(before.length);
  }

  /** Returns the text since the last call that no later token can change. @param isLast whether no token follows */
  take(isLast: boolean): string {
    const end = isLast || this.#stopped ? this.#text.length : this.#text.length - this.#held();
    const delta = this.#text.slice(this.#taken, end);
    this.#taken = Math.max(this.#taken, end);
    return delta;
  }

  /** Returns the length of the longest end of the text with which a stop text begins. */
  #held(): number {
    for (let length = Math.min(this.#longest - 1, this.#text.length - this.#taken); length > 0; length--) {
      const end = this.#text.slice(-length);
      if (this.stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}
