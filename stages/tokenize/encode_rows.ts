/**
 * Texts to ids: a prompt begins with what the tokenizer's template puts there (BOS) exactly once, a response is encoded in its
 * prompt's context and ends with exactly one end token. In: texts. Out: ids, and what was wrong.
 * @module
 */
import type { Tokenizer } from "@/lib/text/tokenizer.ts";

/** A demonstration in ids: the model sees both, and learns the response. */
export interface EncodedDemonstration {
  /** text of the prompt; "" for a text by itself */
  readonly prompt: string;
  /** text of the (first) response */
  readonly response: string;
  readonly promptIds: readonly number[];
  /** all ids from the first learned one on; ends with one end token, unless a template writes more behind it */
  readonly responseIds: readonly number[];
  /** 1 = learned; undefined: all of `responseIds` are */
  readonly responseMask?: Uint8Array | undefined;
  /** prompt and response share a token when encoded together, so the response was encoded by itself */
  readonly isSplit: boolean;
}

/** Ids of prompts. A prompt that writes the template's prefix itself ("<s>…") does not get it twice. */
export async function encodePrompts(tokenizer: Tokenizer, prompts: readonly string[]): Promise<number[][]> {
  const encoded = await tokenizer.encodeAll(prompts, { special: false });
  return encoded.map((ids) => withPrefix(tokenizer, ids));
}

/**
 * Ids of demonstrations, or what keeps one from being one.
 * @param boundary what a token shared by prompt and response means; see the parameter of that name
 */
export async function encodeDemonstrations(
  tokenizer: Tokenizer,
  rows: readonly { readonly prompt: string; readonly response: string }[],
  boundary: "error" | "split",
): Promise<(EncodedDemonstration | { readonly problem: string })[]> {
  const encode = (texts: readonly string[]) => tokenizer.encodeAll(texts, { special: false });
  const prompts = await encode(rows.map(({ prompt }) => prompt));
  const texts = await encode(rows.map(({ prompt, response }) => prompt + response));
  const alone = boundary === "split" ? await encode(rows.map(({ response }) => response)) : [];
  return rows.map(({ prompt, response }, k) => {
    const ids = joined(tokenizer, { prompt: prompts[k]!, both: texts[k]!, response: alone[k] });
    return "problem" in ids ? ids : { prompt, response, ...ids };
  });
}

/** A demonstration of its prompt's ids and those of the whole text; `response` is undefined where none may be split. */
function joined(
  tokenizer: Tokenizer,
  { prompt, both, response: alone }: {
    readonly prompt: Int32Array;
    readonly both: Int32Array;
    readonly response: Int32Array | undefined;
  },
): Omit<EncodedDemonstration, "prompt" | "response"> | { readonly problem: string } {
  const isPrefix = prompt.every((id, k) => both[k] === id);
  if (!isPrefix && alone === undefined) {
    const k = prompt.findIndex((id, at) => both[at] !== id);
    const shared = tokenizer.decode([both[k] ?? -1]);
    return { problem: `token ${JSON.stringify(shared)} reaches from the prompt into the response` };
  }
  const response = isPrefix ? both.subarray(prompt.length) : alone!;
  const ended = endOnce(tokenizer, [...response]);
  return "problem" in ended
    ? ended
    : { promptIds: withPrefix(tokenizer, prompt), responseIds: ended.ids, isSplit: !isPrefix };
}

/**
 * `response` with exactly one end token, at its end. One that it ends with already stays as it is.
 * @returns the ids, or what is wrong: an end token further inside, or nothing but an end
 */
export function endOnce(
  tokenizer: Pick<Tokenizer, "eosIds" | "decode">,
  response: readonly number[],
): { readonly ids: readonly number[] } | { readonly problem: string } {
  const { eosIds } = tokenizer;
  const isEnded = response.length > 0 && eosIds.includes(response[response.length - 1]!);
  const body = isEnded ? response.slice(0, -1) : response;
  const inside = body.find((id) => eosIds.includes(id));
  if (inside !== undefined) {
    return { problem: `end token ${JSON.stringify(tokenizer.decode([inside]))} inside the response` };
  }
  if (body.length === 0) return { problem: "the response has no token but its end" };
  return { ids: isEnded ? response : [...response, eosIds[0]!] };
}

/** How many ids at the start of `promptIds` are the template's prefix. */
export function prefixLength(tokenizer: Pick<Tokenizer, "prefixIds">, promptIds: readonly number[]): number {
  const { prefixIds } = tokenizer;
  return prefixIds.every((id, k) => promptIds[k] === id) ? prefixIds.length : 0;
}

function withPrefix(tokenizer: Pick<Tokenizer, "prefixIds">, ids: Int32Array): number[] {
  const { prefixIds } = tokenizer;
  return prefixIds.every((id, k) => ids[k] === id) ? [...ids] : [...prefixIds, ...ids];
}
